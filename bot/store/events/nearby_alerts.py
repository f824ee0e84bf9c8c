"""Repository of bursts and neutrinos that name no event, each in its newest state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.related_messages.coincidence import can_be_shown, is_in_window
from bot.related_messages.nearby_versions import AlertVersions, join_same_triggers
from bot.related_messages.nearby_windows import NearbyWindows
from bot.routing.intents import ChannelRef
from bot.routing.nearby_alerts import plan_nearby_alert
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from bot.store.events.nearby_json import from_json, to_json
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.plan_writer import load_threads
from formatters.models.nearby_alert import NearbyAlert
from formatters.models.notice import Category

log = structlog.get_logger(__name__)

_n = schema.nearby_alerts
_s = schema.superevents


@dataclass(frozen=True, slots=True)
class RecordedAlert:
    """The result of recording one version of an alert."""

    is_changed: bool
    """False for a repeat, and for an older version that says nothing that isn't known."""
    follow_ups: int
    """The number of threads whose Follow-up reply was asked for."""


class NearbyAlertRepository:
    """Stores alerts and asks for the Follow-up replies that may show them. Methods raise StoreUnavailable."""

    def __init__(self, database: Database, windows: NearbyWindows | None = None) -> None:
        """`windows` are those in which an alert counts as near an event."""
        self._database = database
        self.windows = windows or NearbyWindows()

    async def record(self, alert: NearbyAlert, received_at: datetime, *, is_news: bool) -> RecordedAlert:
        """Store one version of an alert and, if it is news, plan what follows, in one transaction.

        Known events that it is near in time get their Follow-up reply brought up to date where the channel
        asked for nearby alerts; one that can't be shown any more makes no reply where none is.
        """
        async with self._database.exclusive_transaction() as connection:
            known = await _load(connection, alert.stream, alert.key)
            versions = AlertVersions.of(alert)
            before = None if known is None else _read(known)
            if before is not None:
                versions = before.joined(versions)
            if known is None or before != versions or (is_news and not known.news):
                await _write(connection, versions, received_at, known, is_news=is_news)
            if not is_news or before == versions:
                return RecordedAlert(before != versions, 0)
            threads = await self._threads_near(connection, versions.alert)
            await request_follow_ups(connection, threads, received_at, create=can_be_shown(versions.alert))
            if before is not None and before.newest.trigger_time != versions.newest.trigger_time:
                # Where it was shown by its former time, it may have to go.
                former = await self._threads_near(connection, before.alert)
                former = {thread: channel for thread, channel in former.items() if thread not in threads}
                await request_follow_ups(connection, former, received_at, create=False)
                threads |= former
            return RecordedAlert(True, len(threads))

    async def between(self, start: datetime, stop: datetime) -> list[NearbyAlert]:
        """Return the alerts triggered in a span of time (both ends included), by their time."""
        async with self._database.read_transaction() as connection:
            return await load_alerts_between(connection, start, stop)

    async def _threads_near(self, connection: AsyncConnection, alert: NearbyAlert) -> dict[int, ChannelRef]:
        """Return the threads, with their channels, that may show an alert."""
        reach = self.windows.widest
        query = select(_s.c.superevent_id, _s.c.event_time, _s.c.group_name).where(
            _s.c.category == Category.REAL.value,
            # The event comes as long before the alert as the alert after it.
            _s.c.event_time.between(*reach.reversed.around(alert.trigger_time)),
        )
        near = [
            row.superevent_id
            for row in (await connection.execute(query)).all()
            if is_in_window(
                alert.stream, alert.trigger_time, row.event_time, row.group_name or "", self.windows
            )
        ]
        if not near:
            return {}
        subscriptions = await load_active_subscriptions(connection)
        wanted: dict[int, ChannelRef] = {}
        for superevent_id in near:
            threads = await load_threads(connection, superevent_id)
            asked = {(i.team_id, i.channel_id) for i in plan_nearby_alert(threads, subscriptions)}
            wanted |= {thread.id: thread.channel for thread in threads if thread.channel in asked}
        return wanted


async def load_alerts_between(
    connection: AsyncConnection, start: datetime, stop: datetime, *, only_news: bool = False
) -> list[NearbyAlert]:
    """Return the alerts triggered in a span of time (both ends included), by their time.

    With `only_news`, those of which a version came live and recent: what a notice that opens a thread asks.
    """
    query = select(_n.c.id, _n.c.facts).where(_n.c.trigger_time.between(start, stop))
    if only_news:
        query = query.where(_n.c.news)
    rows = (await connection.execute(query.order_by(_n.c.id))).all()
    read = [versions for row in rows if (versions := _read(row)) is not None]
    return [versions.alert for versions in join_same_triggers(read)]


def _read(row: Any) -> AlertVersions | None:
    try:
        return from_json(row.facts)
    except ValueError as error:
        # Perhaps of a newer version of gwevent: no notice and no other alert may wait for it.
        log.error("stored_message_unreadable", id=row.id, reason=str(error))
        return None


async def _load(connection: AsyncConnection, stream: str, key: str) -> Any:
    query = select(_n.c.id, _n.c.facts, _n.c.news).where(_n.c.stream == stream, _n.c.key == key)
    return (await connection.execute(query)).first()


async def _write(
    connection: AsyncConnection, versions: AlertVersions, received_at: datetime, known: Any, *, is_news: bool
) -> None:
    values = {
        "trigger_time": versions.newest.trigger_time,
        "created_at": versions.newest.created,
        "received_at": received_at,
        "news": is_news or (known is not None and known.news),
        "facts": to_json(versions),
    }
    if known is not None:
        await connection.execute(update(_n).where(_n.c.id == known.id).values(values))
        return
    identity = {"stream": versions.newest.stream, "key": versions.newest.key}
    await connection.execute(insert(_n).values({**identity, **values}))
