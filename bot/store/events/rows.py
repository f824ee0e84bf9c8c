"""Helpers for rows that hold received text or stored notices, and for the ids of new rows."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from sqlalchemy import Row

from formatters.models.notice import Notice

UNREADABLE = (KeyError, TypeError, ValueError)
"""Errors of reading stored JSON if another version wrote it, or if it is damaged."""

log = structlog.get_logger(__name__)


def read_notices(superevent_id: str, facts: Iterable[str]) -> list[Notice]:
    """Return the stored notices that this version can read; each other one is logged and left out."""
    found = []
    for text in facts:
        try:
            found.append(Notice.from_json(text))
        except UNREADABLE:
            # One row that can't be read must not keep all others from being found.
            log.exception("stored_notice_unreadable", superevent_id=superevent_id)
    return found


def sanitize(text: str, max_length: int | None = None) -> str:
    """Return text that PostgreSQL accepts: without U+0000, and at most `max_length` characters."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:max_length]


def inserted_id(key: object) -> int:
    """Return the integer primary key of a row that was inserted."""
    assert isinstance(key, Row | tuple)
    value = key[0]
    assert isinstance(value, int)
    return value
