"""One look at all that may wait to be done, cheap enough for every second of a bot that has nothing to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, bindparam, exists, false, or_, select, text, true

from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import MAX_DELAY

_d, _p, _u, _l = schema.deliveries, schema.images, schema.deferred_notices, schema.leases


@dataclass(frozen=True, slots=True)
class DueWork:
    """For whom there may be something to do now."""

    deliveries: bool
    images: bool
    deferred_routing: bool


class DueCheck:
    """Sees whether anything is due, of the workspaces that are this process's, without saying what."""

    def __init__(self, database: Database, leases: WorkerLeases) -> None:
        self._database = database
        self._leases = leases
        # Made once: to put a statement together costs more than to run this one.
        self._statement = _due_query(shared=not database.is_sqlite)

    async def check(self, now: datetime) -> DueWork:
        """Look. What waits for something else than its time counts as due. Raises StoreUnavailable."""
        values: dict[str, object] = {"now": now, "too_late": now + MAX_DELAY}
        if not self._database.is_sqlite:
            values["worker_id"] = self._leases.worker_id
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(self._statement, values)).one()
        return DueWork(
            deliveries=bool(row.deliveries), images=bool(row.pictures), deferred_routing=bool(row.maps)
        )


def _due_query(*, shared: bool) -> Select[bool, bool, bool]:
    # Word for word as the indexes of what waits say it, lest they be overlooked.
    looks = [
        exists().select_from(_d).where(text(schema.READY)),
        *(
            exists().where(text(schema.HELD), _d.c.mock.is_(mock), time)
            for mock in (false(), true())
            for time in _due_conditions(_d.c.held_until)
        ),
    ]
    pictures = exists().where(text(schema.WANTED_IMAGES), or_(*_due_conditions(_p.c.not_before)))
    if shared:
        own = select(_l.c.name).where(_l.c.worker_id == bindparam("worker_id"))
        looks = [look.where(_d.c.team_id.in_(own)) for look in looks]
        pictures = pictures.where(_p.c.team_id.in_(own))
    deliveries = or_(*looks)
    maps = exists().select_from(_u)
    return select(deliveries.label("deliveries"), pictures.label("pictures"), maps.label("maps"))


def _due_conditions(time: ColumnElement[datetime]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    # A time too far off was written before the clock jumped back.
    return time <= bindparam("now"), time > bindparam("too_late")
