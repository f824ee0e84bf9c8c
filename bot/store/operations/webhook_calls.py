"""The webhook's calls: which are due, and what became of them. A small ledger, for one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.models import DeliveryState
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent

CLAIM_DURATION = timedelta(seconds=60)
"""A call that was begun and never settled, because its process is gone, is made again after this."""

_c = schema.webhook_calls


class CallKind(StrEnum):
    """What a call is about."""

    INCIDENT_OPENED = "trouble"
    INCIDENT_RESOLVED = "over"
    EVENT_MATCHED = "alert"
    EVENT_RETRACTED = "stand_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """One call that is to be made now: an intent, not words."""

    id: int
    kind: CallKind
    incident_id: int | None
    superevent_id: str | None
    attempts: int
    """Including this one."""
    created_at: datetime


class WebhookOutbox:
    """Claims and outcomes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, now: datetime) -> WebhookCall | None:
        """The oldest call that is due, nobody else's for a minute; None where none is."""
        due = (_c.c.state == DeliveryState.PENDING.value) & (_c.c.not_before <= now)
        # What a newer gwevent wanted to say waits for it, and holds nothing up.
        due &= _c.c.kind.in_([kind.value for kind in CallKind])
        query = select(_c).where(due).order_by(_c.c.id).limit(1)
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        async with self._database.exclusive_transaction() as connection:
            mine = await connection.execute(
                update(_c)
                .where(_c.c.id == row.id, due)
                .values(attempts=_c.c.attempts + 1, not_before=now + CLAIM_DURATION)
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
        """It was heard."""
        await self._record_outcome(call, state=DeliveryState.SENT.value, sent_at=now, reason=None)

    async def retry_later(self, call: WebhookCall, not_before: datetime, reason: str) -> None:
        """It is to be made again."""
        await self._record_outcome(call, still_ours=True, not_before=not_before, reason=reason)

    async def dead_letter(self, call: WebhookCall, reason: str) -> None:
        """It is given up."""
        await self._record_outcome(call, still_ours=True, state=DeliveryState.DEAD.value, reason=reason)

    async def count_by_state(self) -> dict[str, int]:
        """How many calls stand where."""
        query = select(_c.c.state, func.count()).group_by(_c.c.state)
        async with self._database.read_transaction() as connection:
            return {row[0]: row[1] for row in (await connection.execute(query)).all()}

    async def _record_outcome(
        self, call: WebhookCall, *, only_latest_attempt: bool = False, **values: object
    ) -> None:
        mine = update(_c).where(_c.c.id == call.id)
        if only_latest_attempt:
            # What was heard is heard, whoever says so; else only the newest attempt knows.
            mine = mine.where(_c.c.state == DeliveryState.PENDING.value, _c.c.attempts == call.attempts)
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(mine.values(**values))


async def enqueue_call(
    connection: AsyncConnection,
    kind: CallKind,
    now: datetime,
    *,
    incident_id: int | None = None,
    superevent_id: str | None = None,
    already_sent: bool = False,
) -> None:
    """Have the webhook called once about this; `sent` says that it was called already."""
    slot = _dedup_key(kind, incident_id, superevent_id)
    if (await connection.execute(select(_c.c.id).where(_c.c.slot == slot))).first() is not None:
        return
    await connection.execute(
        insert(_c).values(
            kind=kind.value,
            slot=slot,
            trouble_id=incident_id,
            superevent_id=superevent_id,
            state=DeliveryState.SENT.value if already_sent else DeliveryState.PENDING.value,
            not_before=now,
            attempts=0,
            created_at=now,
            sent_at=now if already_sent else None,
        )
    )


async def cancel_call(
    connection: AsyncConnection,
    kind: CallKind,
    *,
    incident_id: int | None = None,
    superevent_id: str | None = None,
) -> bool:
    """Give up a call that was never tried; False where it was, or where there is none."""
    untried = (_c.c.state == DeliveryState.PENDING.value) & (_c.c.attempts == 0)
    result = await connection.execute(
        update(_c)
        .where(_is_call(kind, incident_id, superevent_id), untried)
        .values(state=DeliveryState.DEAD.value, reason="over before it was said")
    )
    return result.rowcount > 0


async def was_called(
    connection: AsyncConnection,
    kind: CallKind,
    *,
    incident_id: int | None = None,
    superevent_id: str | None = None,
) -> bool:
    """Whether the webhook was or will be called about this."""
    query = select(_c.c.id).where(_is_call(kind, incident_id, superevent_id))
    return (await connection.execute(query)).first() is not None


async def enqueue_event_call(
    connection: AsyncConnection,
    should_call_webhook: Callable[[Superevent], bool],
    superevent: Superevent,
    notice: Notice,
    now: datetime,
) -> None:
    """What a new notice means for the webhook: a call once for each event, one more if it is retracted."""
    superevent_id = superevent.superevent_id
    if superevent.is_retracted:
        cancelled = await cancel_call(connection, CallKind.EVENT_MATCHED, superevent_id=superevent_id)
        if not cancelled and await was_called(
            connection, CallKind.EVENT_MATCHED, superevent_id=superevent_id
        ):
            await enqueue_call(connection, CallKind.EVENT_RETRACTED, now, superevent_id=superevent_id)
    elif not notice.is_retraction and should_call_webhook(superevent):
        await enqueue_call(connection, CallKind.EVENT_MATCHED, now, superevent_id=superevent_id)


def _dedup_key(kind: CallKind, incident_id: int | None, superevent_id: str | None) -> str:
    return f"{kind.value}:{incident_id if superevent_id is None else superevent_id}"


def _is_call(kind: CallKind, incident_id: int | None, superevent_id: str | None) -> ColumnElement[bool]:
    return _c.c.slot == _dedup_key(kind, incident_id, superevent_id)
