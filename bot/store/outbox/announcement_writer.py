"""Writes planned messages of other kinds than a notice's: Follow-up replies, reports, alerts, welcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import (
    AlertOperators,
    AnnounceRetractionCircular,
    ChannelRef,
    Intent,
    OperatorAlert,
    ReportUnreadableNotice,
    UpdateFollowUp,
    WelcomeInstaller,
)
from bot.store import schema
from bot.store.outbox.event_rank import event_rank
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import DeliveryKind, DeliveryState, delivery_row

_ALERT_KINDS: Mapping[OperatorAlert, DeliveryKind] = {
    OperatorAlert.FIRST_REAL_EVENT: DeliveryKind.FIRST_REAL_EVENT,
    OperatorAlert.UNREADABLE_PAYLOAD: DeliveryKind.QUARANTINE_REPORT,
    OperatorAlert.INCIDENT_OPENED: DeliveryKind.INCIDENT_OPENED,
    OperatorAlert.INCIDENT_RESOLVED: DeliveryKind.INCIDENT_RESOLVED,
}

_QUARANTINE_REPORTS = (DeliveryKind.UNREADABLE_NOTICE.value, DeliveryKind.QUARANTINE_REPORT.value)
_d = schema.deliveries


async def write_announcements(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    now: datetime,
    *,
    subject_id: int = 0,
    superevent_id: str | None = None,
    dedup_key: str | None = None,
) -> None:
    """Write the reports, operators' alerts and welcomes among `intents` to the outbox.

    `subject_id` is the stored notice or quarantined payload that they are about, `superevent_id` the
    superevent of an unreadable notice. `dedup_key` is that of the operators' alerts, if it isn't their own.
    """
    reports = [i for i in intents if isinstance(i, ReportUnreadableNotice)]
    event = await event_rank(connection, superevent_id) if reports and superevent_id is not None else None
    rows = [
        delivery_row(
            i.team_id,
            i.channel_id,
            DeliveryKind.UNREADABLE_NOTICE,
            subject_id,
            now,
            thread_id=i.thread_id,
            event=event,
        )
        for i in reports
    ]
    for intent in intents:
        match intent:
            case AlertOperators(team_id, channel_id, alert, incident_id):
                subject = subject_id if incident_id is None else incident_id
                kind = _ALERT_KINDS[alert]
                rows.append(delivery_row(team_id, channel_id, kind, subject, now, dedup_key=dedup_key))
            case WelcomeInstaller(team_id, user_id):
                # A direct message is addressed to the person's id in place of a channel's.
                rows.append(delivery_row(team_id, user_id, DeliveryKind.WELCOME, 0, now))
            case _:
                pass
    if rows:
        await connection.execute(insert(schema.deliveries), rows)


async def delete_reports(connection: AsyncConnection, quarantine_ids: Sequence[int]) -> None:
    """Delete the reports about these quarantined payloads that were not posted yet."""
    about = _d.c.kind.in_(_QUARANTINE_REPORTS) & _d.c.subject_id.in_(quarantine_ids)
    await connection.execute(delete(_d).where(about, _d.c.state == DeliveryState.PENDING.value))


async def write_follow_ups(
    connection: AsyncConnection, intents: Sequence[Intent], superevent_id: str, now: datetime
) -> None:
    """Write what `intents` ask of Follow-up replies to the outbox, into threads that exist by now.

    A retraction by circular is announced once in each thread. Whether a muted thread hears of it was decided
    with the intents.
    """
    updates = [i for i in intents if isinstance(i, UpdateFollowUp)]
    announced = [i for i in intents if isinstance(i, AnnounceRetractionCircular)]
    if not updates and not announced:
        return
    table = schema.threads
    query = select(table.c.id, table.c.team_id, table.c.channel_id).where(
        table.c.superevent_id == superevent_id
    )
    rows = (await connection.execute(query)).all()
    channels: dict[int, ChannelRef] = {row.id: (row.team_id, row.channel_id) for row in rows}
    threads = {channel: thread_id for thread_id, channel in channels.items()}
    by_urgency: dict[tuple[bool, bool, bool], dict[int, ChannelRef]] = {}
    for i in updates:
        channel = (i.team_id, i.channel_id)
        urgency = (i.is_earlier, i.only_existing, i.can_wait)
        by_urgency.setdefault(urgency, {})[threads[channel]] = channel
    for (is_earlier, only_existing, can_wait), asked in by_urgency.items():
        create = not only_existing
        await request_follow_ups(
            connection,
            asked,
            now,
            is_earlier=is_earlier,
            create=create,
            can_wait=can_wait,
            even_muted=True,
        )
    slots = {f"{DeliveryKind.RETRACTION_CIRCULAR.value}:{i.thread_id}": i for i in announced}
    if not slots:
        return
    made = select(schema.deliveries.c.slot).where(
        schema.deliveries.c.thread_id.in_([i.thread_id for i in announced]),
        schema.deliveries.c.kind == DeliveryKind.RETRACTION_CIRCULAR.value,
    )
    fresh = slots.keys() - set((await connection.execute(made)).scalars())
    if not fresh:
        return
    event = await event_rank(connection, superevent_id)
    deliveries = [
        delivery_row(
            *channels[i.thread_id],
            DeliveryKind.RETRACTION_CIRCULAR,
            i.message_id,
            now,
            thread_id=i.thread_id,
            dedup_key=slot,
            event=event,
        )
        for slot, i in slots.items()
        if slot in fresh
    ]
    await connection.execute(insert(schema.deliveries), deliveries)
