"""How the sources of all processes are doing, for whoever is asked for the status."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from bot.sources.base import SourceStatus
from bot.store import schema
from bot.store.database import Database, StoreUnavailable

SILENT_AFTER = timedelta(seconds=30)
"""A consumer that hasn't said anything for so long isn't there any more."""
FORGET_AFTER = timedelta(days=1)

_c = schema.source_heartbeats


class SourceHeartbeats:
    """What each consumer says of itself."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._store_back_at: datetime | None = None

    async def record(self, name: str, sources: Sequence[SourceStatus]) -> None:
        """Write down how a consumer's sources are doing."""
        now = self._clock()
        told = {"seen_at": now, "sources": json.dumps([asdict(source) for source in sources])}
        async with self._database.independent_transaction() as connection:
            mine = update(_c).where(_c.c.id == name[:255]).values(told)
            if not (await connection.execute(mine)).rowcount:
                await connection.execute(insert(_c).values(id=name[:255], **told))
            await connection.execute(delete(_c).where(_c.c.seen_at < now - FORGET_AFTER))

    async def statuses(self) -> list[SourceStatus]:
        """Those of all consumers; one that fell silent is told as such for a day.

        While the store took nothing in none could say anything: after that each gets its time anew.
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
            for source in json.loads(row.sources):
                status = SourceStatus(**source)
                if now - max(row.seen_at, self._store_back_at or row.seen_at) > SILENT_AFTER:
                    said = f"its consumer {row.id} fell silent at {row.seen_at:%Y-%m-%d %H:%M} UTC"
                    status = SourceStatus(name=status.name, connected=False, detail=said)
                found.append(status)
        return found
