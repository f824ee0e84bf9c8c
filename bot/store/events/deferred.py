"""Repository of deferred notices, whose routing needs the sky map: the second transaction of an alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.related_messages.nearby_windows import NearbyWindows
from bot.routing.planner import required_map_queries
from bot.routing.state import RoutingState
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from bot.store.events.notices import Planner, load_notice_rows
from bot.store.events.routing_state import load_earlier_messages
from bot.store.outbox.announcement_writer import write_follow_ups
from bot.store.outbox.plan_writer import load_threads, write_deferred_plan
from bot.store.outbox.webhook_writer import load_event_calls, write_webhook_calls
from formatters.models.filter import MapQuery
from formatters.models.notice import Category, Notice, NoticeKey
from formatters.models.subscription import Criteria
from formatters.models.superevent import Superevent

_s = schema.superevents
_u = schema.deferred_notices


@dataclass(frozen=True, slots=True)
class DeferredNotice:
    """The queries that the routing of a notice needs from its sky map."""

    notice_key: NoticeKey
    """The notice whose sky map is queried: the newest of the superevent that carries an event."""
    map_queries: frozenset[MapQuery]
    known: tuple[NoticeKey, ...]
    """All notices of the superevent: a grade may hang on one that isn't the newest, such as the INITIAL."""


class DeferredRouting:
    """Returns deferred notices, and completes their routing. All methods raise StoreUnavailable."""

    def __init__(self, database: Database, windows: NearbyWindows | None = None) -> None:
        """`windows` are those in which an alert of another observatory counts as near an event."""
        self._database = database
        self._windows = windows or NearbyWindows()

    async def pending_superevents(self) -> list[str]:
        """Return the superevents with deferred notices: real before mock and test, the newest first."""
        mock = case((_s.c.category == Category.REAL.value, 0), else_=1)
        query = (
            select(_u.c.superevent_id)
            .join(_s, _s.c.superevent_id == _u.c.superevent_id)
            .order_by(mock, _u.c.notice_id.desc())
        )
        async with self._database.read_transaction() as connection:
            return list(dict.fromkeys((await connection.execute(query)).scalars()))

    async def get_map_queries(
        self, superevent_id: str, webhook_criteria: Criteria | None = None
    ) -> DeferredNotice | None:
        """Return the queries for the sky map of the newest notice; None if the notice was purged.

        `webhook_criteria` are what the operators' webhook is called for.
        """
        async with self._database.read_transaction() as connection:
            superevent = await _load_superevent(connection, superevent_id)
            subscriptions = await load_active_subscriptions(connection)
        newest = None if superevent is None else superevent.latest_with_event
        if superevent is None or newest is None:
            return None
        return DeferredNotice(
            newest.key,
            required_map_queries(superevent, subscriptions, webhook_criteria),
            tuple(notice.key for notice in superevent.notices),
        )

    async def complete(
        self,
        superevent_id: str,
        notice_key: NoticeKey | None,
        plan: Planner,
        now: datetime,
        known: tuple[NoticeKey, ...] | None = None,
    ) -> int | None:
        """Write the plan that `plan` makes of the newest deferred notice; return the number of intents.

        `notice_key` is the notice whose sky map was queried, `known` are the notices of the superevent at
        that time. If another was stored since, nothing is written and None is returned: the queries are to be
        answered once more. The superevent is locked as in `NoticeRepository.record`.
        """
        async with self._database.exclusive_transaction() as connection:
            lock = select(_s.c.revision).where(_s.c.superevent_id == superevent_id).with_for_update()
            await connection.execute(lock)
            mine = select(_u).where(_u.c.superevent_id == superevent_id).order_by(_u.c.notice_id)
            rows = (await connection.execute(mine)).all()
            if not rows:
                # Another process has completed it.
                return 0
            superevent = await _load_superevent(connection, superevent_id)
            newest = None if superevent is None else superevent.latest_with_event
            if newest is not None and newest.key != notice_key:
                return None
            if superevent is not None and known not in (None, tuple(n.key for n in superevent.notices)):
                return None
            await connection.execute(delete(_u).where(_u.c.superevent_id == superevent_id))
            row = rows[-1]
            query = select(schema.notices).where(schema.notices.c.id == row.notice_id)
            found = (await connection.execute(query)).one()
            key = (found.superevent_id, found.alert_type, found.time_created, found.content)
            notice = (
                None if superevent is None else next((n for n in superevent.notices if n.key == key), None)
            )
            if superevent is None or notice is None:
                return 0
            # A subscription that is newer than the notice gets the next notice, as with any other filter.
            subscriptions = [
                s for s in await load_active_subscriptions(connection) if s.created_at <= row.created_at
            ]
            threads = await load_threads(connection, superevent_id)
            state = RoutingState(
                superevent=superevent,
                notice=notice,
                threads=threads,
                subscriptions=subscriptions,
                earlier_messages=await load_earlier_messages(
                    connection, superevent, subscriptions, self._windows, has_threads=bool(threads)
                ),
                webhook_calls=await load_event_calls(connection, superevent_id),
            )
            intents = plan(state)
            await write_deferred_plan(connection, intents, state, row.notice_id, now, draw_image=row.picture)
            await write_follow_ups(connection, intents, superevent_id, now)
            await write_webhook_calls(connection, intents, now)
            return len(intents)


async def _load_superevent(connection: AsyncConnection, superevent_id: str) -> Superevent | None:
    rows = await load_notice_rows(connection, superevent_id)
    notices = [Notice.from_json(row.facts) for row in rows if row.facts is not None]
    return Superevent.from_notices(notices) if notices else None
