"""Repository of the people of threads: who has an event, whether somebody is awaited, who muted it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select

from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.escalation_writer import awaits_somebody
from formatters.models.escalation import Acknowledgement
from formatters.models.event_people import NOBODY, EventPeople, Mute

_a = schema.acknowledgements
_e = schema.escalations
_m = schema.muted_threads


class EventPeopleRepository:
    """Reads what people do about events, for cards. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_threads(self, thread_ids: Collection[int]) -> dict[int, EventPeople]:
        """Return the people of each of these threads, without what their instruments cover."""
        acknowledgements: defaultdict[int, list[Acknowledgement]] = defaultdict(list)
        async with self._database.read_transaction() as connection:
            query = select(_a).where(_a.c.thread_id.in_(thread_ids)).order_by(_a.c.since, _a.c.user_id)
            for row in (await connection.execute(query)).all():
                one = Acknowledgement(user_id=row.user_id, since=row.since)
                acknowledgements[row.thread_id].append(one)
            # One that was acknowledged and one that ended for another reason await nobody.
            escalating = select(_e.c.thread_id).where(_e.c.thread_id.in_(thread_ids), awaits_somebody())
            awaited = set((await connection.execute(escalating)).scalars())
            muted = select(_m).where(_m.c.thread_id.in_(thread_ids))
            mutes = {
                row.thread_id: Mute(user_id=row.muted_by, since=row.muted_at)
                for row in (await connection.execute(muted)).all()
            }
        known = acknowledgements.keys() | awaited | mutes.keys()
        return {
            thread_id: NOBODY
            if thread_id not in known
            else EventPeople(
                is_awaited=thread_id in awaited,
                acknowledgements=tuple(acknowledgements.get(thread_id, ())),
                mute=mutes.get(thread_id),
            )
            for thread_id in thread_ids
        }
