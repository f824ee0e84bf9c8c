"""Check with one query if outbox work is due, cheaply enough for an idle bot to run it every second."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, exists, false, or_, select, text, true

from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.due_time import due_conditions, due_parameters
from bot.store.outbox.leases import WorkerLeases

_d, _p, _u, _l = schema.deliveries, schema.images, schema.deferred_notices, schema.leases
_s, _w = schema.escalation_steps, schema.workers


@dataclass(frozen=True, slots=True)
class DueWork:
    """A set of flags, one for each consumer of the outbox; each is True if it may have work now."""

    deliveries: bool
    images: bool
    deferred_routing: bool
    escalations: bool = False


class DueCheck:
    """A check for due work in the workspaces that this process serves. It does not return the work itself."""

    def __init__(self, database: Database, leases: WorkerLeases) -> None:
        self._database = database
        self._leases = leases
        # Built once, because building the statement costs more than running it.
        self._statement = _due_query(shared=not database.is_sqlite)

    async def check(self, now: datetime) -> DueWork:
        """Return the kinds of work that may be due at `now`. Raises StoreUnavailable.

        Held deliveries and wanted images are due when their time has come. Deliveries that are not held, and
        deferred notices, always count as due, even if they wait for something else.
        """
        values = due_parameters(now)
        if not self._database.is_sqlite:
            values["worker_id"] = self._leases.worker_id
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(self._statement, values)).one()
        return DueWork(
            deliveries=bool(row.deliveries),
            images=bool(row.pictures),
            deferred_routing=bool(row.maps),
            escalations=bool(row.steps),
        )


def _due_query(*, shared: bool) -> Select[bool, bool, bool, bool]:
    # The conditions repeat those of the partial indexes literally, so that the database uses these indexes.
    looks = [
        exists().select_from(_d).where(text(schema.READY)),
        *(
            exists().where(text(schema.HELD), _d.c.mock.is_(mock), time)
            for mock in (false(), true())
            for time in due_conditions(_d.c.held_until)
        ),
    ]
    pictures = exists().where(text(schema.WANTED_IMAGES), or_(*due_conditions(_p.c.not_before)))
    # The worker itself looks for steps that are too far ahead, since the clock was set back.
    steps = exists().where(text(schema.WAITING_STEPS), _s.c.due_at <= bindparam("now"))
    if shared:
        own = select(_l.c.name).where(_l.c.worker_id == bindparam("worker_id"))
        looks = [look.where(_d.c.team_id.in_(own)) for look in looks]
        pictures = pictures.where(_p.c.team_id.in_(own))
        # Those of workspaces that no process serves too; a heartbeat deletes workers that are gone.
        served = select(_l.c.name).join(_w, _w.c.id == _l.c.worker_id)
        steps = steps.where(_s.c.team_id.in_(own) | _s.c.team_id.not_in(served))
    deliveries = or_(*looks)
    maps = exists().select_from(_u)
    return select(
        deliveries.label("deliveries"), pictures.label("pictures"), maps.label("maps"), steps.label("steps")
    )
