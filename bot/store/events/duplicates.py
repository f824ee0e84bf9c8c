"""Finds the stored copy of a notice: by id, type and time and, where these agree, by content.

The content is a digest of the decoded record, so Avro and JSON of one notice agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.decode import content_digest
from bot.store import schema
from formatters.models.notice import Notice


async def backfill_digests(connection: AsyncConnection, notice: Notice, known: Sequence[Any]) -> bool:
    """Compute the content digest of stored notices of this type and time that lack it.

    An older version of gwevent stored no digest; it is computed from the payload, if that is still stored.
    Return True if a row was changed.
    """
    changed = False
    for row in _rows_of_same_time(notice, known):
        if row.content or row.facts is None:
            continue
        stored = Notice.from_json(row.facts)
        body = None if stored.archive is not None else await _load_payload(connection, row.id)
        content = None if body is None else await asyncio.to_thread(content_digest, body)
        if content is not None:
            table = schema.notices
            facts = replace(stored, content=content).to_json()
            await connection.execute(
                update(table).where(table.c.id == row.id).values(content=content, facts=facts)
            )
            changed = True
    return changed


def find_duplicate(notice: Notice, known: Sequence[Any]) -> Any | None:
    """Return the stored row that this notice repeats, preferably one with the same content; None if new."""
    rows = _rows_of_same_time(notice, known)
    if notice.content is not None:
        # A row without content is an archive's copy, or an old one whose payload was purged.
        rows = [row for row in rows if row.content in (notice.content, "")]
    return max(rows, key=lambda row: (row.content or "", -row.id), default=None)


def _rows_of_same_time(notice: Notice, known: Sequence[Any]) -> list[Any]:
    return [row for row in known if (row.alert_type, row.time_created) == notice.key[1:3]]


def supersedes_archive_copy(notice: Notice, stored: str | None) -> bool:
    """Return True if the notice comes from a live source and its stored copy from an archive."""
    if notice.archive is not None or stored is None:
        return False
    return Notice.from_json(stored).archive is not None


async def _load_payload(connection: AsyncConnection, notice_id: int) -> bytes | None:
    query = select(schema.payloads.c.body).where(schema.payloads.c.notice_id == notice_id)
    body: bytes | None = (await connection.execute(query)).scalar_one_or_none()
    return body
