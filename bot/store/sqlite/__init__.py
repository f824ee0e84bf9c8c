"""The SQLite database file: detection of deletion, renaming, replacement and truncation."""
