"""Close what gwevent 0.1.0 (commit e8f3c8d) can't read, so that it can be started again on this database.

Its tables may stay as they are. But an open delivery or incident of a kind that 0.1.0 doesn't know ends its
process, and so does each restart. Later versions hold such rows instead (`unknown_deliveries_held`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.models import OPEN_STATES, DeliveryKind, DeliveryState

DELIVERY_KINDS_OF_0_1_0 = [
    "root",
    "reply",
    "edit",
    "mention",
    "confirmation",
    "welcome",
    "circular",
    "apology",
    "ops",
    "trouble",
    "over",
    "first_real",
]
INCIDENT_KINDS_OF_0_1_0 = ["silence", "source", "lag", "deliveries", "slack", "store"]
CALL_KINDS_OF_0_1_0 = ["trouble", "over", "alert", "stand_down"]
REASON = "closed for an older gwevent"
"""Stored as the reason of the deliveries and calls that are closed."""

_ABOUT_INCIDENTS = (DeliveryKind.INCIDENT_OPENED.value, DeliveryKind.INCIDENT_RESOLVED.value)
_c = schema.webhook_calls
_d = schema.deliveries
_i = schema.incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """The number of rows that were closed, by kind."""

    deliveries: int
    incidents: int
    calls: int


async def prepare_rollback(database: Database) -> RollbackResult:
    """Close every open delivery, incident and webhook call that 0.1.0 can't read; nothing is deleted.

    No process of this version may run meanwhile or afterwards, since it would write new ones. Raises
    StoreUnavailable.
    """
    unknown = _i.c.what.not_in(INCIDENT_KINDS_OF_0_1_0)
    incidents = select(_i.c.id).where(unknown)
    dead: dict[str, Any] = {"state": DeliveryState.DEAD.value, "reason": REASON}
    async with database.exclusive_transaction() as connection:
        deliveries = await connection.execute(
            update(_d)
            .where(_d.c.state.in_(OPEN_STATES))
            .where(
                _d.c.kind.not_in(DELIVERY_KINDS_OF_0_1_0)
                | (_d.c.kind.in_(_ABOUT_INCIDENTS) & _d.c.subject_id.in_(incidents))
            )
            .values(**dead, claimed_by=None)
        )
        calls = await connection.execute(
            update(_c)
            .where(_c.c.state == DeliveryState.PENDING.value)
            .where(_c.c.kind.not_in(CALL_KINDS_OF_0_1_0) | _c.c.trouble_id.in_(incidents))
            .values(**dead)
        )
        # 0.1.0 reads what is open in each of its checks, and tells the operators what they weren't told.
        closed = await connection.execute(
            update(_i)
            .where(unknown, _i.c.open_as.is_not(None) | ~_i.c.told)
            .values(open_as=None, told=True, ended_at=func.coalesce(_i.c.ended_at, _i.c.seen_at))
        )
    return RollbackResult(deliveries=deliveries.rowcount, incidents=closed.rowcount, calls=calls.rowcount)
