"""Repositories of superevents, their notices, and what names them."""
