"""Reads thousands of superevents at a time, for searches by filter."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import EventAttributes, extract_attributes
from bot.filters.event_attributes import MASS_BINS_KEY, OBSERVATORIES_KEY
from bot.runtime.threads import in_thread_unless
from bot.store import schema
from bot.store.database import Database
from bot.store.events.rows import UNREADABLE, read_notices
from formatters.models.notice import Category
from formatters.models.superevent import Superevent

BATCH_SIZE = 500
"""Superevents per query: databases limit the number of parameters."""

_n = schema.notices
_s = schema.superevents

log = structlog.get_logger(__name__)


PAGES = (8, 64, 1_000)
"""Limits with which to ask for the newest events, one after the other, when the newest match is wanted."""


class EventSearch:
    """Returns stored superevents in bulk. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def attributes(
        self,
        categories: Collection[Category],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[EventAttributes]:
        """Return the attributes of all events in the half-open interval [`since`, `until`), the newest first.

        With `limit`, only those of so many events. Superevents of which only a retraction is known are left
        out.
        """
        query = select(_s.c.superevent_id, _s.c.traits).where(_s.c.traits.is_not(None))
        query = query.where(_s.c.category.in_([category.value for category in categories]))
        if since is not None:
            query = query.where(_s.c.event_time >= since)
        if until is not None:
            query = query.where(_s.c.event_time < until)
        async with self._database.read_transaction() as connection:
            order = query.order_by(_s.c.event_time.desc(), _s.c.superevent_id.desc()).limit(limit)
            rows = (await connection.execute(order)).all()

        return await in_thread_unless(len(rows) <= PAGES[0], _read_attributes, rows)

    async def superevents(self, ids: Sequence[str]) -> list[Superevent]:
        """Return these superevents in this order; unknown ones are left out."""
        async with self._database.read_transaction() as connection:
            found, _ = await _load_superevents(connection, ids)
        return [found[superevent_id] for superevent_id in ids if superevent_id in found]

    async def refresh_stale_attributes(self) -> None:
        """Compute the attributes of superevents that an older version of gwevent stored without them.

        Called by commands that read, and by the maintenance of a running process: an older process that still
        runs may leave more.
        """
        stale = or_(
            _s.c.traits_revision.is_(None),
            _s.c.traits_revision != _s.c.revision,
            # Written before attributes named the observatories of coincidences and the chirp mass.
            _s.c.traits.not_like(f'%"{OBSERVATORIES_KEY}"%'),
            # Written before they kept the bins of the chirp mass.
            _s.c.traits.not_like(f'%"{MASS_BINS_KEY}"%'),
        )
        query = select(_s.c.superevent_id, _s.c.revision).where(stale).order_by(_s.c.superevent_id)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        for start in range(0, len(rows), BATCH_SIZE):
            some = rows[start : start + BATCH_SIZE]
            async with self._database.read_transaction() as connection:
                found, unreadable = await _load_superevents(connection, [row.superevent_id for row in some])
            values = []
            for superevent_id, revision in some:
                known = found.get(superevent_id)
                if known is None and superevent_id in unreadable:
                    # What was stored of it stays, and a version that can read it computes it again.
                    continue
                attributes = None if known is None else extract_attributes(known)
                text = None if attributes is None else attributes.to_json()
                values.append({"of": superevent_id, "at": revision, "text": text})
            # A notice that was stored since has written newer attributes.
            same = (_s.c.superevent_id == bindparam("of")) & (_s.c.revision == bindparam("at"))
            write = update(_s).where(same).values(traits=bindparam("text"), traits_revision=bindparam("at"))
            if values:
                async with self._database.exclusive_transaction() as connection:
                    await connection.execute(write, values)


def _read_attributes(rows: Sequence[Any]) -> list[EventAttributes]:
    """Return the attributes of rows (superevent_id, traits), without those that this version can't read."""
    found = []
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        decoded = _decode_together([text for _, text in batch])
        for at, (superevent_id, text) in enumerate(batch):
            try:
                found.append(
                    EventAttributes.from_json(superevent_id, text)
                    if decoded is None
                    else EventAttributes.from_values(superevent_id, decoded[at])
                )
            except UNREADABLE:
                log.exception("stored_attributes_unreadable", superevent_id=superevent_id)
    return found


def _decode_together(texts: Sequence[str]) -> list[Any] | None:
    """Return the values of JSON texts in two thirds of the time that each alone takes.

    Return None if one of them can't be decoded.
    """
    try:
        values: list[Any] = json.loads(f"[{','.join(texts)}]")
    except UNREADABLE:
        return None
    return values if len(values) == len(texts) else None


async def _load_superevents(
    connection: AsyncConnection, ids: Sequence[str]
) -> tuple[Mapping[str, Superevent], Collection[str]]:
    """Return the superevents by id, and the ids of those with a notice that this version can't read."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for start in range(0, len(ids), BATCH_SIZE):
        query = select(_n.c.superevent_id, _n.c.facts).where(
            _n.c.superevent_id.in_(ids[start : start + BATCH_SIZE]), _n.c.facts.is_not(None)
        )
        for superevent_id, facts in (await connection.execute(query.order_by(_n.c.id))).all():
            texts[superevent_id].append(facts)

    def read() -> tuple[dict[str, Superevent], set[str]]:
        found, unreadable = {}, set()
        for superevent_id, facts in texts.items():
            notices = read_notices(superevent_id, facts)
            if len(notices) == len(facts):
                found[superevent_id] = Superevent.from_notices(notices)
            else:
                unreadable.add(superevent_id)
        return found, unreadable

    return await in_thread_unless(len(ids) == 1, read)
