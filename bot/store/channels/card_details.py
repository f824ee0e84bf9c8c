"""Finds the threads whose cards show more than their event, so that only that is loaded for them.

Most channels have no sites, criteria sets or quiet rules, and nobody said anything about most events. One
query for a whole fan-out finds the exceptions, where a query for each kind of detail would be eight.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from sqlalchemy import ColumnElement, Table, bindparam, null, select

from bot.routing.intents import MentionReason
from bot.store import schema
from bot.store.channels.clauses import IN_FORCE
from bot.store.channels.criteria_sets import MAY_SHOW_SETS
from bot.store.channels.quiet_criteria import MAY_SAY_QUIET
from bot.store.database import Database
from bot.store.outbox.images import AVAILABLE_STATES

_t = schema.threads


class CardDetail(StrEnum):
    """Something that a card shows beside its event, by where it is stored."""

    PEOPLE = "people"
    """People who have the event, somebody who is awaited, or a mute (`EventPeopleRepository`)."""
    OBSERVERS = "observers"
    OBSERVATIONS = "observations"
    MENTIONS = "mentions"
    """Mentions that the root's post makes."""
    SITES = "sites"
    CRITERIA_SETS = "criteria_sets"
    QUIET_CRITERIA = "quiet_criteria"
    IMAGE = "image"
    """An image of any of the event's sky maps, in the thread's workspace."""


class CardDetailRepository:
    """Finds out what the cards of threads show beside their events. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_threads(self, thread_ids: Collection[int]) -> Mapping[int, frozenset[CardDetail]]:
        """Return the kinds of details that may be stored for the card of each of these threads.

        Threads without anything are left out. What isn't named isn't there; what is named may turn out to be
        nothing when it is loaded, such as criteria that can't be read.
        """
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(_QUERY, {"threads": list(thread_ids)})).all()
        return {
            thread_id: frozenset(detail for detail, there in zip(CardDetail, found, strict=True) if there)
            for thread_id, *found in rows
            if any(found)
        }


_a, _e, _i, _m = schema.acknowledgements, schema.escalations, schema.images, schema.mentions
_o, _s = schema.observations, schema.subscriptions


def _exists(table: Table, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(null()).select_from(table).where(*where).correlate(_t).exists()


def _of_thread(table: Table, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    return _exists(table, table.c.thread_id == _t.c.id, *where)


def _of_channel(table: Table, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    return _exists(table, table.c.team_id == _t.c.team_id, table.c.channel_id == _t.c.channel_id, *where)


_CONDITIONS: Mapping[CardDetail, ColumnElement[bool]] = {
    CardDetail.PEOPLE: _of_thread(_a) | _of_thread(_e) | _of_thread(schema.muted_threads),
    CardDetail.OBSERVERS: _of_thread(schema.observers),
    CardDetail.OBSERVATIONS: _of_channel(_o, _o.c.superevent_id == _t.c.superevent_id),
    CardDetail.MENTIONS: _of_thread(_m, _m.c.occasion == MentionReason.NEW_EVENT.value),
    CardDetail.SITES: _of_channel(schema.channel_sites) | _of_channel(schema.channel_conditions),
    CardDetail.CRITERIA_SETS: _of_channel(_s, IN_FORCE, MAY_SHOW_SETS),
    CardDetail.QUIET_CRITERIA: _of_channel(_s, IN_FORCE, MAY_SAY_QUIET),
    CardDetail.IMAGE: _exists(
        _i,
        _i.c.superevent_id == _t.c.superevent_id,
        _i.c.team_id == _t.c.team_id,
        _i.c.state.in_(AVAILABLE_STATES),
    ),
}
"""For each detail the condition that a thread has it."""
# Built once, because building a statement takes longer than executing it.
_QUERY = select(_t.c.id, *(_CONDITIONS[detail] for detail in CardDetail)).where(
    _t.c.id.in_(bindparam("threads", expanding=True))
)
