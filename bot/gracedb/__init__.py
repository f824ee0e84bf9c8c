"""Import of superevents that were never received, from GraceDB's public API."""
