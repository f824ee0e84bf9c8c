"""One look at all that may wait to be done, cheap enough for every second of a bot that has nothing to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, exists, or_, select

from bot.store import schema
from bot.store.database import Database
from bot.store.ledger import LONGEST_WAIT, PictureState, State
from bot.store.shares import Shares

_d, _p, _u, _l = schema.deliveries, schema.pictures, schema.undecided, schema.leases


@dataclass(frozen=True, slots=True)
class Due:
    """For whom there may be something to do now."""

    deliveries: bool
    pictures: bool
    maps: bool


class Glance:
    """Sees whether anything is due, of the workspaces that are this process's, without saying what."""

    def __init__(self, database: Database, shares: Shares) -> None:
        self._database = database
        self._shares = shares
        # Made once: to put a statement together costs more than to run this one.
        self._statement = _statement(shared=not database.sqlite)

    async def due(self, now: datetime) -> Due:
        """Look. What waits for something else than its time counts as due. Raises StoreUnavailable."""
        values: dict[str, object] = {"now": now, "too_late": now + LONGEST_WAIT}
        if not self._database.sqlite:
            values["worker_id"] = self._shares.worker_id
        async with self._database.reading() as connection:
            row = (await connection.execute(self._statement, values)).one()
        return Due(deliveries=bool(row.deliveries), pictures=bool(row.pictures), maps=bool(row.maps))


def _statement(*, shared: bool) -> Select[bool, bool, bool]:
    # As literals, lest SQLite overlook the index of what waits.
    pending: BindParameter[str] = bindparam("pending", State.PENDING.value, literal_execute=True)
    wanted: BindParameter[str] = bindparam("wanted", PictureState.WANTED.value, literal_execute=True)
    deliveries = exists().where(_d.c.state == pending, _its_time(_d.c.not_before))
    pictures = exists().where(_p.c.state == wanted, _its_time(_p.c.not_before))
    if shared:
        own = select(_l.c.name).where(_l.c.worker_id == bindparam("worker_id"))
        deliveries, pictures = deliveries.where(_d.c.team_id.in_(own)), pictures.where(_p.c.team_id.in_(own))
    maps = exists().select_from(_u)
    return select(deliveries.label("deliveries"), pictures.label("pictures"), maps.label("maps"))


def _its_time(not_before: ColumnElement[datetime]) -> ColumnElement[bool]:
    # A time too far off was written before the clock jumped back.
    return or_(not_before <= bindparam("now"), not_before > bindparam("too_late"))
