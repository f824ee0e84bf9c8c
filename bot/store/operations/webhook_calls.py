"""The outbox of the operators' webhook: calls that are due, and their outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, or_, select, update

from bot.routing.intents import CallKind
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.due_time import due_conditions, due_parameters
from bot.store.outbox.models import DeliveryState
from bot.store.outbox.unheard_calls import report_unheard_call
from formatters.models.left_incident import LeftIncident

CLAIM_DURATION = timedelta(seconds=60)
"""A call that was claimed and has no outcome, because its process is gone, is made again after this."""

_KNOWN_KINDS = [kind.value for kind in CallKind]

_c = schema.webhook_calls


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """A webhook call that is to be made now; its text is rendered from the newest state."""

    id: int
    kind: CallKind
    incident_id: int | None
    superevent_id: str | None
    escalation_id: int | None
    attempts: int
    """Including this one."""
    created_at: datetime
    left: LeftIncident | None = None
    """The incident that the call resolves, if the escalation went with its workspace."""


def _waits_for_another() -> ColumnElement[bool]:
    """Return the condition on a call that an earlier one of the same subject is being made, or is to be.

    Otherwise the call that somebody has it could overtake the one that nobody has, which then pages people
    in vain. One that failed and is made again later (it has a reason) holds nothing up: when it is made, it
    finds that it was overtaken.
    """
    other = _c.alias("earlier")
    is_earlier = (other.c.created_at < _c.c.created_at) | (
        (other.c.created_at == _c.c.created_at) & (other.c.id < _c.c.id)
    )
    same_subject = or_(
        other.c.escalation_id == _c.c.escalation_id,
        other.c.superevent_id == _c.c.superevent_id,
        other.c.trouble_id == _c.c.trouble_id,
    )
    return exists().where(
        other.c.state == DeliveryState.PENDING.value,
        other.c.reason.is_(None),
        other.c.kind.in_(_KNOWN_KINDS),
        is_earlier,
        same_subject,
    )


class WebhookOutbox:
    """Claims webhook calls that are due, and records their outcomes. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, now: datetime) -> WebhookCall | None:
        """Claim the oldest call that is due for `CLAIM_DURATION`; return None if none is due."""
        due = (_c.c.state == DeliveryState.PENDING.value) & or_(*due_conditions(_c.c.not_before))
        # A call of a kind that only a newer gwevent knows waits for that version.
        due &= _c.c.kind.in_(_KNOWN_KINDS)
        query = select(_c).where(due, ~_waits_for_another()).order_by(_c.c.id).limit(1)
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query, due_parameters(now))).first()
        if row is None:
            return None
        async with self._database.exclusive_transaction() as connection:
            mine = await connection.execute(
                update(_c)
                .where(_c.c.id == row.id, due)
                .values(attempts=_c.c.attempts + 1, not_before=now + CLAIM_DURATION, reason=None),
                due_parameters(now),
            )
        if not mine.rowcount:
            return None
        return WebhookCall(
            id=row.id,
            kind=CallKind(row.kind),
            incident_id=row.trouble_id,
            superevent_id=row.superevent_id,
            escalation_id=row.escalation_id,
            attempts=row.attempts + 1,
            created_at=row.created_at,
            left=None if row.left_open is None else LeftIncident.from_json(row.left_open),
        )

    async def mark_sent(self, call: WebhookCall, now: datetime) -> None:
        """Record that the call was made."""
        await self._record_outcome(call, state=DeliveryState.SENT.value, sent_at=now, reason=None)

    async def retry_later(self, call: WebhookCall, not_before: datetime, reason: str) -> None:
        """Record that the call failed and is to be made again at `not_before`."""
        await self._record_outcome(call, only_latest_attempt=True, not_before=not_before, reason=reason)

    async def report_unheard(self, call: WebhookCall, now: datetime) -> bool:
        """Plan one post that an escalation's call isn't heard; return False if none is to be planned."""
        assert call.escalation_id is not None, "nobody waits for other calls"
        async with self._database.exclusive_transaction() as connection:
            return await report_unheard_call(connection, call.escalation_id, now)

    async def dead_letter(self, call: WebhookCall, reason: str) -> None:
        """Record that the call is given up."""
        await self._record_outcome(
            call, only_latest_attempt=True, state=DeliveryState.DEAD.value, reason=reason
        )

    async def count_by_state(self) -> dict[str, int]:
        """Return the number of calls in each delivery state."""
        query = select(_c.c.state, func.count()).group_by(_c.c.state)
        async with self._database.read_transaction() as connection:
            return {row[0]: row[1] for row in (await connection.execute(query)).all()}

    async def _record_outcome(
        self, call: WebhookCall, *, only_latest_attempt: bool = False, **values: object
    ) -> None:
        mine = update(_c).where(_c.c.id == call.id)
        if only_latest_attempt:
            # A success counts whichever attempt it was; a failure only if it was the newest attempt's.
            mine = mine.where(_c.c.state == DeliveryState.PENDING.value, _c.c.attempts == call.attempts)
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(mine.values(**values))
