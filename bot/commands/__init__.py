"""What people ask beyond the newest event: one module a subject, each a class that the router calls."""
