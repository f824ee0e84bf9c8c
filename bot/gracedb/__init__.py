"""GraceDB's public API: what was never received is looked up there, and stored as an archive's."""
