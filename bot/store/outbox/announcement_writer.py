"""Writes planned messages of other kinds than a thread's: circulars, reports, operators' alerts, welcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import (
    AlertOperators,
    Intent,
    LinkCircular,
    OperatorAlert,
    ReportUnreadableNotice,
    WelcomeInstaller,
)
from bot.store import schema
from bot.store.outbox.event_rank import event_rank
from bot.store.outbox.models import DeliveryKind, Priority, delivery_row

_ALERT_KINDS: Mapping[OperatorAlert, DeliveryKind] = {
    OperatorAlert.FIRST_REAL_EVENT: DeliveryKind.FIRST_REAL_EVENT,
    OperatorAlert.UNREADABLE_PAYLOAD: DeliveryKind.QUARANTINE_REPORT,
    OperatorAlert.INCIDENT_OPENED: DeliveryKind.INCIDENT_OPENED,
    OperatorAlert.INCIDENT_RESOLVED: DeliveryKind.INCIDENT_RESOLVED,
}


async def write_announcements(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    now: datetime,
    *,
    subject_id: int = 0,
    superevent_id: str | None = None,
) -> None:
    """Write the reports, operators' alerts and welcomes among `intents` to the outbox.

    `subject_id` is the stored notice or quarantined payload that they are about, `superevent_id` the
    superevent of an unreadable notice.
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
                rows.append(delivery_row(team_id, channel_id, _ALERT_KINDS[alert], subject, now))
            case WelcomeInstaller(team_id, user_id):
                # A direct message is addressed to the person's id in place of a channel's.
                rows.append(delivery_row(team_id, user_id, DeliveryKind.WELCOME, 0, now))
            case _:
                pass
    if rows:
        await connection.execute(insert(schema.deliveries), rows)


async def write_circular_links(
    connection: AsyncConnection, intents: Sequence[Intent], superevent_id: str, now: datetime
) -> None:
    """Write the links of circulars among `intents` to the outbox, into threads that exist by now."""
    links = [i for i in intents if isinstance(i, LinkCircular)]
    if not links:
        return
    table = schema.threads
    query = select(table.c.id, table.c.team_id, table.c.channel_id).where(
        table.c.superevent_id == superevent_id
    )
    rows = (await connection.execute(query)).all()
    threads = {(row.team_id, row.channel_id): row.id for row in rows}
    event = await event_rank(connection, superevent_id)
    deliveries = [
        delivery_row(
            i.team_id,
            i.channel_id,
            DeliveryKind.CIRCULAR,
            i.circular_id,
            now,
            thread_id=threads[i.team_id, i.channel_id],
            dedup_key=f"circular:{i.number}:{superevent_id}",
            # What was written before the thread was opened waits for everything else.
            priority=Priority.EDIT if i.is_earlier else Priority.REPLY,
            event=event,
        )
        for i in links
    ]
    await connection.execute(insert(schema.deliveries), deliveries)
