"""The store: one database, opened here only; nouns come out, never rows."""
