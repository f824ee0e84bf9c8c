"""Writes the operators' webhook calls among intents, in the transaction that stores their cause."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import CallKind, CallWebhook, CancelWebhookCall, Intent
from bot.routing.state import CallState
from bot.store import schema
from bot.store.outbox.models import DeliveryState

CANCELLED_REASON = "over before it was said"
"""Stored as the reason of a call that was dropped before its first attempt."""

ESCALATION_CALLS = (CallKind.ESCALATED, CallKind.ESCALATION_ACKNOWLEDGED, CallKind.ESCALATION_ENDED)
"""The kinds of calls about an escalation."""

_c = schema.webhook_calls
_LOCK_CALLS = (
    select(_c.c.slot, _c.c.state, _c.c.attempts, _c.c.reason)
    .where(_c.c.slot.in_(bindparam("slots", expanding=True)))
    .with_for_update()
)

Subject = TypeVar("Subject")


async def load_event_calls(connection: AsyncConnection, superevent_id: str) -> dict[CallKind, CallState]:
    """Return the calls that were planned about a superevent, locked until the transaction ends."""
    kinds = (CallKind.EVENT_MATCHED, CallKind.EVENT_RETRACTED)
    calls = await _load_calls(connection, {_slot(kind, superevent_id): kind for kind in kinds})
    return dict(calls)


async def load_incident_calls(
    connection: AsyncConnection, incident_ids: Collection[int]
) -> dict[int, dict[CallKind, CallState]]:
    """Return the calls that were planned about incidents, by incident, locked until the transaction ends."""
    kinds = (CallKind.INCIDENT_OPENED, CallKind.INCIDENT_RESOLVED)
    slots = {_slot(kind, id_): (id_, kind) for id_ in incident_ids for kind in kinds}
    found: dict[int, dict[CallKind, CallState]] = {id_: {} for id_ in incident_ids}
    for (incident_id, kind), state in await _load_calls(connection, slots):
        found[incident_id][kind] = state
    return found


async def load_escalation_calls(
    connection: AsyncConnection, escalation_ids: Collection[int]
) -> dict[int, dict[CallKind, CallState]]:
    """Return the calls that were planned about escalations, by escalation, locked as the others are."""
    slots = {_slot(kind, id_): (id_, kind) for id_ in escalation_ids for kind in ESCALATION_CALLS}
    found: dict[int, dict[CallKind, CallState]] = {id_: {} for id_ in escalation_ids}
    for (escalation_id, kind), state in await _load_calls(connection, slots):
        found[escalation_id][kind] = state
    return found


async def _load_calls(
    connection: AsyncConnection, slots: Mapping[str, Subject]
) -> list[tuple[Subject, CallState]]:
    """Return the state of the calls in these slots.

    The rows are locked, so that a call that is seen untried here is not claimed before it is cancelled.
    """
    if not slots:
        return []
    rows = (await connection.execute(_LOCK_CALLS, {"slots": list(slots)})).all()
    return [(slots[row.slot], _call_state(row.state, row.attempts, row.reason)) for row in rows]


def _call_state(state: str, attempts: int, reason: str | None) -> CallState:
    if attempts == 0 and state == DeliveryState.PENDING.value:
        return CallState.UNTRIED
    if attempts == 0 and state == DeliveryState.DEAD.value and reason == CANCELLED_REASON:
        return CallState.CANCELLED
    return CallState.MAY_BE_HEARD


async def write_webhook_calls(connection: AsyncConnection, intents: Sequence[Intent], now: datetime) -> None:
    """Write the calls among `intents` that are to be made, and cancel those that are to be dropped."""
    for intent in intents:
        match intent:
            case CallWebhook():
                await _write_call(connection, intent, now)
            case CancelWebhookCall():
                slot = _slot(intent.kind, intent.incident_id, intent.superevent_id, intent.escalation_id)
                untried = (_c.c.state == DeliveryState.PENDING.value) & (_c.c.attempts == 0)
                await connection.execute(
                    update(_c)
                    .where(_c.c.slot == slot, untried)
                    .values(state=DeliveryState.DEAD.value, reason=CANCELLED_REASON)
                )
            case _:
                pass


async def _write_call(connection: AsyncConnection, call: CallWebhook, now: datetime) -> None:
    slot = _slot(call.kind, call.incident_id, call.superevent_id, call.escalation_id)
    pending = {"state": DeliveryState.PENDING.value, "not_before": now, "created_at": now, "reason": None}
    # Somebody may take and hand back an escalation again and again, and an event may be a candidate again
    # that was retracted before its call: their calls are made again, by the same rows. Their attempts stay
    # counted, so that what may have been heard isn't taken as unheard.
    mine = _c.c.slot == slot
    if call.escalation_id is None:
        mine &= (_c.c.attempts == 0) & (_c.c.reason == CANCELLED_REASON)
    again = await connection.execute(update(_c).where(mine).values(**pending, sent_at=None))
    if again.rowcount:
        return
    made = {"state": DeliveryState.SENT.value, "sent_at": now} if call.already_made else {}
    await connection.execute(
        insert(_c).values(
            {
                **pending,
                "kind": call.kind.value,
                "slot": slot,
                "trouble_id": call.incident_id,
                "superevent_id": call.superevent_id,
                "escalation_id": call.escalation_id,
                "attempts": 0,
                **made,
            }
        )
    )


def _slot(kind: CallKind, *subject: int | str | None) -> str:
    """Return the unique slot of a call: there is one of a kind about each incident, event or escalation.

    It isn't the key by which the operators' service knows its incident, which several calls share.
    """
    return f"{kind.value}:{next(s for s in subject if s is not None)}"
