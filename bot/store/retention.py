"""Deletes rows older than the retention policy allows: payloads, deliveries, quarantined payloads and others.

The keys of notices, superevents, threads, root messages and mentions are never deleted: they identify
repeated notices and prevent a second root message for a superevent. Nor are messages that name a superevent,
counterpart candidates, observations, mutes and the state of Follow-up replies, which stay with their threads:
a reply that is edited after a year still lists all of them. Only BOOM's and HERMES' messages go whose event
never came.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, select

from bot.routing.delivery_times import CHANGES_KEPT_FOR
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.announcement_writer import delete_reports
from bot.store.outbox.models import EDIT_KINDS, DeliveryKind, DeliveryState, kinds_where
from formatters.models.notice import Category
from formatters.models.related_message import CANDIDATE_STREAMS

BATCH_SIZE = 500
"""Most rows deleted by one transaction, since other writers wait for it."""
KEPT_AROUND_EVENTS = timedelta(days=7)
"""Time before and after an event with a Follow-up reply, whose alerts are kept, as the reply shows them."""

_PURGEABLE_KINDS = [kind.value for kind in kinds_where(lambda rule: rule.purgeable)]
_c = schema.webhook_calls
_a = schema.nearby_alerts
_d = schema.deliveries
_e = schema.escalations
_f = schema.follow_ups
_m = schema.related_messages
_n = schema.notices
_o = schema.incidents
_p = schema.payloads
_q = schema.quarantine
_s = schema.escalation_steps
_t = schema.threads


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """A retention period for each kind of row."""

    payloads: timedelta | None
    """For payloads of all notices except mocks, which have a separate period; None keeps them."""
    deliveries: timedelta
    quarantine: timedelta
    changes: timedelta = CHANGES_KEPT_FOR
    """For the history of changes to channels' subscriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeResult:
    """The number of rows deleted, by kind."""

    payloads: int
    deliveries: int
    quarantined: int
    incidents: int
    changes: int = 0
    nearby_alerts: int = 0
    candidates: int = 0
    escalations: int = 0
    actions: int = 0
    treasure_map_events: int = 0


NOTHING_PURGED = PurgeResult(payloads=0, deliveries=0, quarantined=0, incidents=0)


class Retention:
    """A repository that deletes old rows; mocks' payloads and pictures are deleted elsewhere."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def purge(self, keep: RetentionPolicy, now: datetime) -> PurgeResult:
        """Delete everything older than its retention period. Raises StoreUnavailable."""
        return PurgeResult(
            payloads=0 if keep.payloads is None else await self.purge_payloads(now - keep.payloads),
            deliveries=await self.purge_deliveries(now - keep.deliveries),
            quarantined=await self.purge_quarantine(now - keep.quarantine),
            # After the deliveries that refer to them.
            incidents=await self.purge_incidents(now - keep.deliveries),
            changes=await self.purge_changes(now - keep.changes),
            nearby_alerts=await self.purge_nearby_alerts(now - keep.deliveries),
            candidates=await self.purge_candidates(now - keep.deliveries),
            escalations=await self.purge_escalations(now - keep.deliveries),
            actions=await self.purge_actions(now - keep.changes),
            treasure_map_events=await self.purge_treasure_map(now - keep.deliveries),
        )

    async def purge_payloads(self, received_before: datetime) -> int:
        """Delete old payloads of notices other than mocks, keep facts and keys; return the number."""
        old = (
            select(_p.c.notice_id)
            .join(_n, _n.c.id == _p.c.notice_id)
            .join(schema.superevents, schema.superevents.c.superevent_id == _n.c.superevent_id)
            .where(schema.superevents.c.category != Category.MOCK.value, _n.c.received_at < received_before)
        )
        removed = 0
        while ids := await self._next_batch(old):
            async with self._database.exclusive_transaction() as connection:
                result = await connection.execute(delete(_p).where(_p.c.notice_id.in_(ids)))
            removed += result.rowcount
        return removed

    async def purge_deliveries(self, done_before: datetime) -> int:
        """Delete old deliveries, sent or abandoned, of events without recent notices; return the number.

        Root messages and mentions are kept: without them a thread would be opened, or people mentioned, a
        second time. Abandoned edits are kept since they are resumed, at any age, when their channel becomes
        available again. Messages about an ongoing incident are kept since its end is announced only to the
        channels that received them.
        """
        heard_since = (
            select(_n.c.id)
            .join(_t, _t.c.superevent_id == _n.c.superevent_id)
            .where(_t.c.id == _d.c.thread_id, _n.c.received_at >= done_before)
            .exists()
        )
        over = select(schema.incidents.c.id).where(schema.incidents.c.open_as.is_(None))
        said = _d.c.kind.in_(_PURGEABLE_KINDS) | (
            (_d.c.kind == DeliveryKind.INCIDENT_OPENED.value) & _d.c.subject_id.in_(over)
        )
        said &= _d.c.state.in_([DeliveryState.SENT.value, DeliveryState.DEAD.value])
        shown = _d.c.kind.in_(EDIT_KINDS) & (_d.c.state == DeliveryState.SENT.value)
        old = (said | shown) & (_d.c.created_at < done_before) & ~heard_since
        removed = 0
        while ids := await self._next_batch(select(_d.c.id).where(old)):
            async with self._database.exclusive_transaction() as connection:
                # A delivery that was requested again in the meantime is no longer old.
                result = await connection.execute(delete(_d).where(_d.c.id.in_(ids), old))
            removed += result.rowcount
        return removed

    async def purge_quarantine(self, received_before: datetime) -> int:
        """Delete old payloads that could not be decoded, and unsent deliveries about them."""
        removed = 0
        while ids := await self._next_batch(select(_q.c.id).where(_q.c.received_at < received_before)):
            async with self._database.exclusive_transaction() as connection:
                await delete_reports(connection, ids)
                result = await connection.execute(delete(_q).where(_q.c.id.in_(ids)))
            removed += result.rowcount
        return removed

    async def purge_incidents(self, ended_before: datetime) -> int:
        """Delete ended incidents without remaining deliveries, and their webhook calls; return the number.

        Webhook calls about events are kept: they record that each call was made.
        """
        has_deliveries = (
            select(_d.c.id)
            .where(
                _d.c.kind.in_([DeliveryKind.INCIDENT_OPENED.value, DeliveryKind.INCIDENT_RESOLVED.value]),
                _d.c.subject_id == _o.c.id,
            )
            .exists()
        )
        old = _o.c.open_as.is_(None) & (_o.c.ended_at < ended_before) & ~has_deliveries
        removed = 0
        while ids := await self._next_batch(select(_o.c.id).where(old)):
            async with self._database.exclusive_transaction() as connection:
                await connection.execute(delete(_c).where(_c.c.trouble_id.in_(ids)))
                result = await connection.execute(delete(_o).where(_o.c.id.in_(ids)))
            removed += result.rowcount
        return removed

    async def purge_changes(self, made_before: datetime) -> int:
        """Delete old entries of the channels' change history, except those still to be posted."""
        table = schema.channel_changes
        unsaid = select(_d.c.id).where(
            _d.c.kind == DeliveryKind.CHANGE.value,
            _d.c.state.in_([DeliveryState.PENDING.value, DeliveryState.SENDING.value]),
        )
        said = table.c.delivery_id.is_(None) | table.c.delivery_id.not_in(unsaid)
        removed = 0
        while ids := await self._next_batch(select(table.c.id).where(table.c.changed_at < made_before, said)):
            async with self._database.exclusive_transaction() as connection:
                result = await connection.execute(delete(table).where(table.c.id.in_(ids)))
            removed += result.rowcount
        return removed

    async def purge_nearby_alerts(self, triggered_before: datetime) -> int:
        """Delete old alerts that name no event, except those near in time to one with a Follow-up reply."""
        events = schema.superevents
        times = (
            select(events.c.event_time)
            .join(_t, _t.c.superevent_id == events.c.superevent_id)
            .join(_f, _f.c.thread_id == _t.c.id)
            .distinct()
        )
        old = select(_a.c.id, _a.c.trigger_time).where(_a.c.trigger_time < triggered_before)
        async with self._database.read_transaction() as connection:
            alerts = (await connection.execute(old)).all()
            shown = sorted((await connection.execute(times)).scalars()) if alerts else []
        ids = [row.id for row in alerts if not _is_near(row.trigger_time, shown)]
        for start in range(0, len(ids), BATCH_SIZE):
            async with self._database.exclusive_transaction() as connection:
                batch = ids[start : start + BATCH_SIZE]
                await connection.execute(delete(_a).where(_a.c.id.in_(batch)))
        return len(ids)

    async def purge_candidates(self, received_before: datetime) -> int:
        """Delete old messages of BOOM and HERMES about events of which no notice ever came.

        A sender may name any id, as often as it likes; a message that comes again after that is stored again.
        """
        is_known = (
            select(schema.superevents.c.superevent_id)
            .where(schema.superevents.c.superevent_id == _m.c.superevent_id)
            .exists()
        )
        streams = _m.c.stream.in_([stream.value for stream in CANDIDATE_STREAMS])
        old = streams & (_m.c.received_at < received_before) & ~is_known
        removed = 0
        while ids := await self._next_batch(select(_m.c.id).where(old)):
            async with self._database.exclusive_transaction() as connection:
                # The event may have come in the meantime.
                result = await connection.execute(delete(_m).where(_m.c.id.in_(ids), old))
            removed += result.rowcount
        return removed

    async def purge_escalations(self, closed_before: datetime) -> int:
        """Delete escalations and drills that were closed, with their steps and webhook calls.

        Who had an event stays with its thread, whose card goes on to show it.
        """
        unmade = select(_c.c.escalation_id).where(
            _c.c.escalation_id == _e.c.id, _c.c.state == DeliveryState.PENDING.value
        )
        old = (_e.c.closed_at < closed_before) & ~unmade.exists()
        removed = 0
        while ids := await self._next_batch(select(_e.c.id).where(old)):
            async with self._database.exclusive_transaction() as connection:
                await connection.execute(delete(_c).where(_c.c.escalation_id.in_(ids)))
                await connection.execute(delete(_s).where(_s.c.escalation_id.in_(ids)))
                result = await connection.execute(delete(_e).where(_e.c.id.in_(ids)))
            removed += result.rowcount
        # Their escalations went with a workspace.
        left = ~select(_e.c.id).where(_e.c.id == _c.c.escalation_id).exists() & _c.c.escalation_id.is_not(
            None
        )
        left &= (_c.c.state != DeliveryState.PENDING.value) & (_c.c.created_at < closed_before)
        while ids := await self._next_batch(select(_c.c.id).where(left)):
            async with self._database.exclusive_transaction() as connection:
                await connection.execute(delete(_c).where(_c.c.id.in_(ids)))
        return removed

    async def purge_actions(self, done_before: datetime) -> int:
        """Delete old entries of what people did about events; what they brought about stays.

        Mutes, observations and who has an event stay with their threads, whose cards go on to show them.
        """
        table = schema.event_actions
        removed = 0
        while ids := await self._next_batch(select(table.c.id).where(table.c.at < done_before)):
            async with self._database.exclusive_transaction() as connection:
                result = await connection.execute(delete(table).where(table.c.id.in_(ids)))
            removed += result.rowcount
        return removed

    async def purge_treasure_map(self, read_before: datetime) -> int:
        """Delete the Treasure Map's pointings of events that are no longer read by themselves.

        They are read again when somebody asks. Its instruments stay.
        """
        table = schema.treasure_map_events
        old = table.c.next_at.is_(None) & (table.c.tried_at < read_before)
        removed = 0
        while found := await self._next_batch(select(table.c.superevent_id).where(old)):
            async with self._database.exclusive_transaction() as connection:
                # Somebody may have asked in the meantime.
                result = await connection.execute(delete(table).where(table.c.superevent_id.in_(found), old))
            removed += result.rowcount
        return removed

    async def _next_batch(self, ids: Select[Any]) -> Sequence[Any]:
        # Selected in a read transaction, which blocks no writer; usually there are none.
        async with self._database.read_transaction() as connection:
            found: Sequence[Any] = (await connection.execute(ids.limit(BATCH_SIZE))).scalars().all()
        return found


def _is_near(time: datetime, events: Sequence[datetime]) -> bool:
    """Return whether a time lies within KEPT_AROUND_EVENTS of one of the sorted times of events."""
    after = bisect_left(events, time - KEPT_AROUND_EVENTS)
    return after < len(events) and events[after] <= time + KEPT_AROUND_EVENTS
