"""The outbox of the operators' webhook: calls that are due, and their outcomes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import CallKind, CallWebhook, CancelWebhookCall, Intent
from bot.routing.state import CallState
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.due_time import due_conditions, due_parameters
from bot.store.outbox.models import DeliveryState

CLAIM_DURATION = timedelta(seconds=60)
"""A call that was claimed and has no outcome, because its process is gone, is made again after this."""
CANCELLED_REASON = "over before it was said"
"""Stored as the reason of a call that was dropped before its first attempt."""

_c = schema.webhook_calls

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """A webhook call that is to be made now; its text is rendered from the newest state."""

    id: int
    kind: CallKind
    incident_id: int | None
    superevent_id: str | None
    attempts: int
    """Including this one."""
    created_at: datetime


class WebhookOutbox:
    """Claims webhook calls that are due, and records their outcomes. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, now: datetime) -> WebhookCall | None:
        """Claim the oldest call that is due for `CLAIM_DURATION`; return None if none is due."""
        due = (_c.c.state == DeliveryState.PENDING.value) & or_(*due_conditions(_c.c.not_before))
        # A call of a kind that only a newer gwevent knows waits for that version.
        due &= _c.c.kind.in_([kind.value for kind in CallKind])
        query = select(_c).where(due).order_by(_c.c.id).limit(1)
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query, due_parameters(now))).first()
        if row is None:
            return None
        async with self._database.exclusive_transaction() as connection:
            mine = await connection.execute(
                update(_c)
                .where(_c.c.id == row.id, due)
                .values(attempts=_c.c.attempts + 1, not_before=now + CLAIM_DURATION),
                due_parameters(now),
            )
        if not mine.rowcount:
            return None
        return WebhookCall(
            id=row.id,
            kind=CallKind(row.kind),
            incident_id=row.trouble_id,
            superevent_id=row.superevent_id,
            attempts=row.attempts + 1,
            created_at=row.created_at,
        )

    async def mark_sent(self, call: WebhookCall, now: datetime) -> None:
        """Record that the call was made."""
        await self._record_outcome(call, state=DeliveryState.SENT.value, sent_at=now, reason=None)

    async def retry_later(self, call: WebhookCall, not_before: datetime, reason: str) -> None:
        """Record that the call failed and is to be made again at `not_before`."""
        await self._record_outcome(call, only_latest_attempt=True, not_before=not_before, reason=reason)

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


async def load_event_calls(connection: AsyncConnection, superevent_id: str) -> dict[CallKind, CallState]:
    """Return the calls that were planned about a superevent, locked until the transaction ends."""
    kinds = (CallKind.EVENT_MATCHED, CallKind.EVENT_RETRACTED)
    calls = await _load_calls(connection, {_dedup_key(kind, superevent_id): kind for kind in kinds})
    return dict(calls)


async def load_incident_calls(
    connection: AsyncConnection, incident_ids: Collection[int]
) -> dict[int, dict[CallKind, CallState]]:
    """Return the calls that were planned about incidents, by incident, locked until the transaction ends."""
    kinds = (CallKind.INCIDENT_OPENED, CallKind.INCIDENT_RESOLVED)
    slots = {_dedup_key(kind, id_): (id_, kind) for id_ in incident_ids for kind in kinds}
    found: dict[int, dict[CallKind, CallState]] = {id_: {} for id_ in incident_ids}
    for (incident_id, kind), state in await _load_calls(connection, slots):
        found[incident_id][kind] = state
    return found


async def _load_calls(
    connection: AsyncConnection, slots: Mapping[str, Subject]
) -> list[tuple[Subject, CallState]]:
    """Return the state of the calls in these slots.

    The rows are locked, so that a call that is seen untried here is not claimed before it is cancelled.
    """
    if not slots:
        return []
    query = select(_c.c.slot, _c.c.state, _c.c.attempts).where(_c.c.slot.in_(slots)).with_for_update()
    return [
        (
            slots[row.slot],
            CallState.UNTRIED
            if row.state == DeliveryState.PENDING.value and row.attempts == 0
            else CallState.MAY_BE_HEARD,
        )
        for row in (await connection.execute(query)).all()
    ]


async def write_webhook_calls(connection: AsyncConnection, intents: Sequence[Intent], now: datetime) -> None:
    """Write the calls among `intents` that are to be made, and cancel those that are to be dropped."""
    for intent in intents:
        match intent:
            case CallWebhook():
                await _write_call(connection, intent, now)
            case CancelWebhookCall():
                slot = _dedup_key(intent.kind, intent.incident_id, intent.superevent_id)
                untried = (_c.c.state == DeliveryState.PENDING.value) & (_c.c.attempts == 0)
                await connection.execute(
                    update(_c)
                    .where(_c.c.slot == slot, untried)
                    .values(state=DeliveryState.DEAD.value, reason=CANCELLED_REASON)
                )
            case _:
                pass


async def _write_call(connection: AsyncConnection, call: CallWebhook, now: datetime) -> None:
    await connection.execute(
        insert(_c).values(
            kind=call.kind.value,
            slot=_dedup_key(call.kind, call.incident_id, call.superevent_id),
            trouble_id=call.incident_id,
            superevent_id=call.superevent_id,
            state=DeliveryState.SENT.value if call.already_made else DeliveryState.PENDING.value,
            not_before=now,
            attempts=0,
            created_at=now,
            sent_at=now if call.already_made else None,
        )
    )


def _dedup_key(kind: CallKind, *subject: int | str | None) -> str:
    """Return the unique slot of a call: there is one call of a kind about each incident or superevent."""
    return f"{kind.value}:{next(s for s in subject if s is not None)}"
