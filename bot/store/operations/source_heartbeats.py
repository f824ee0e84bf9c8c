"""Repository of heartbeats: the status of the sources of all processes, for `/gwevent status`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from bot.sources.base import SourceStatus
from bot.store import schema
from bot.store.database import Database, StoreUnavailable

SILENT_AFTER = timedelta(seconds=30)
"""A consumer without a heartbeat for this long is reported as disconnected."""
FORGET_AFTER = timedelta(days=1)
"""A consumer without a heartbeat for this long is not reported any more."""

_c = schema.source_heartbeats

_STATUS_FIELDS = tuple(field.name for field in fields(SourceStatus))

_OPTIONAL = "optional_topics"
"""Optional topics stand inside the status of their broker's alerts: a version before them would take each for
alerts that are gone."""


class SourceHeartbeats:
    """Stores the heartbeats of consumers. All methods raise StoreUnavailable."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._store_back_at: datetime | None = None

    async def record(self, name: str, sources: Sequence[SourceStatus]) -> None:
        """Record the status of the sources of the consumer `name`, and delete forgotten consumers."""
        now = self._clock()
        values = {"seen_at": now, "sources": json.dumps(_encode(sources))}
        async with self._database.independent_transaction() as connection:
            mine = update(_c).where(_c.c.id == name[:255]).values(values)
            if not (await connection.execute(mine)).rowcount:
                await connection.execute(insert(_c).values(id=name[:255], **values))
            await connection.execute(delete(_c).where(_c.c.seen_at < now - FORGET_AFTER))

    async def statuses(self) -> list[SourceStatus]:
        """Return the statuses of all consumers; one that fell silent is disconnected, for `FORGET_AFTER`.

        While the store is unavailable nobody can record a heartbeat; after that, silence is counted from the
        moment when the store was back.
        """
        now = self._clock()
        try:
            async with self._database.read_transaction() as connection:
                rows = (await connection.execute(select(_c).order_by(_c.c.id))).all()
        except StoreUnavailable:
            self._store_back_at = now
            raise
        if self._database.write_error is not None:
            self._store_back_at = now
        found = []
        for row in rows:
            for status in _decode(json.loads(row.sources)):
                if now - max(row.seen_at, self._store_back_at or row.seen_at) > SILENT_AFTER:
                    detail = f"its consumer {row.id} fell silent at {row.seen_at:%Y-%m-%d %H:%M} UTC"
                    found.append(replace(status, connected=False, detail=detail, lag=None))
                else:
                    found.append(status)
        return found


def _encode(sources: Sequence[SourceStatus]) -> list[dict[str, Any]]:
    required = [asdict(source) for source in sources if not source.is_optional]
    optional = [asdict(source) for source in sources if source.is_optional]
    if not optional:
        return required
    if not required:
        # What a version before them shows of a process that reads nothing else.
        first = optional[0]["name"]
        required = [asdict(SourceStatus(first, True, "reads no alerts", is_optional=True))]
    return [{**required[0], _OPTIONAL: optional}, *required[1:]]


def _decode(stored: list[dict[str, Any]]) -> list[SourceStatus]:
    found = [_status(source) for source in stored if not source.get("is_optional")]
    return found + [_status(topic) for source in stored for topic in source.get(_OPTIONAL, ())]


def _status(stored: dict[str, Any]) -> SourceStatus:
    # A newer version may say more of a source.
    return SourceStatus(**{key: stored[key] for key in _STATUS_FIELDS if key in stored})
