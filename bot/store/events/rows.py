"""Helpers for rows that hold received text, and for the ids of new rows."""

from __future__ import annotations

from sqlalchemy import Row


def sanitize(text: str, max_length: int | None = None) -> str:
    """Return text that PostgreSQL accepts: without U+0000, and at most `max_length` characters."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:max_length]


def inserted_id(key: object) -> int:
    """Return the integer primary key of a row that was inserted."""
    assert isinstance(key, Row | tuple)
    value = key[0]
    assert isinstance(value, int)
    return value
