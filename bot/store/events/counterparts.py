"""Repository of the counterpart candidates that people of a channel added, and of what they decided.

Both belong to the channel: no other channel sees them. Whatever a person does here is shown in the Follow-up
reply of the channel's thread, which is asked for in the same transaction, and is kept with who and when: a
candidate that was added or removed has a row among the decisions too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.counterparts.names import normalize_name, split_names
from bot.counterparts.reports import AddedCandidate, NamedDecision
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.clauses import in_channel
from bot.store.database import Database
from bot.store.events.message_json import position_from_record, position_to_record
from bot.store.outbox.follow_up_writer import request_follow_ups
from formatters.models.counterpart import Decision
from formatters.models.related_message import ReportedPosition

MAX_ADDED = 200
"""Candidates that one channel adds to one event."""
MAX_ACTIONS = 2_000
"""Most actions of one channel's people about one event's candidates."""

_ADDED, _REMOVED = "add", "remove"
"""Kept among the decisions, though they are none."""
_c = schema.counterparts
_d = schema.counterpart_decisions
_t = schema.threads


class TooManyCandidates(ValueError):
    """The channel would have more than MAX_ADDED candidates of an event."""


class TooManyActions(ValueError):
    """More than MAX_ACTIONS would be kept of what a channel did about an event's candidates."""


class NotTheirCandidate(ValueError):
    """Somebody else of the channel added the candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCandidates:
    """The reports and decisions of one channel's people about one event's candidates, oldest first."""

    added: tuple[AddedCandidate, ...] = ()
    decisions: tuple[NamedDecision, ...] = ()


class CounterpartRepository:
    """Stores people's candidates and decisions. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_event(self, channel: ChannelRef, superevent_id: str) -> ChannelCandidates:
        """Return the candidates that people of a channel added to an event, and their decisions."""
        async with self._database.read_transaction() as connection:
            added = await _load(connection, _c, channel, superevent_id)
            decided = await _load(connection, _d, channel, superevent_id)
        return ChannelCandidates(
            added=tuple(
                AddedCandidate(
                    name=row.name,
                    position=position_from_json(row.position),
                    user_id=row.added_by,
                    at=row.added_at,
                )
                for row in added
            ),
            decisions=tuple(
                NamedDecision(
                    name=row.name,
                    decision=Decision(row.decision),
                    user_id=row.decided_by,
                    at=row.decided_at,
                )
                for row in decided
                # Others are the history of what was added, or of a newer version.
                if row.decision in set(Decision)
            ),
        )

    async def add(
        self,
        channel: ChannelRef,
        superevent_id: str,
        candidates: Sequence[tuple[str, ReportedPosition]],
        by: ChangeAuthor,
    ) -> bool:
        """Add candidates (name, position); one that the same person added under this name is replaced.

        Return True if the channel has a thread of the event, whose Follow-up reply shows them. Raises
        TooManyCandidates, TooManyActions: then none was added.
        """
        async with self._database.exclusive_transaction() as connection:
            present = await _load(connection, _c, channel, superevent_id)
            names = frozenset[str]().union(*(_names(name) for name, _ in candidates))
            replaced = [row.id for row in present if row.added_by == by.user_id and _names(row.name) & names]
            if len(present) - len(replaced) + len(candidates) > MAX_ADDED:
                raise TooManyCandidates
            if replaced:
                await connection.execute(delete(_c).where(_c.c.id.in_(replaced)))
            about = _about(channel, superevent_id)
            await connection.execute(
                insert(_c),
                [
                    {
                        **about,
                        "name": name,
                        "position": position_to_json(position),
                        "added_by": by.user_id,
                        "added_at": by.at,
                    }
                    for name, position in candidates
                ],
            )
            return await _record(
                connection, channel, superevent_id, [name for name, _ in candidates], _ADDED, by
            )

    async def decide(
        self,
        channel: ChannelRef,
        superevent_id: str,
        names: Sequence[str],
        decision: Decision,
        by: ChangeAuthor,
    ) -> bool:
        """Record a decision about candidates; return True if the channel has a thread of the event.

        Raises TooManyActions: then nothing was recorded.
        """
        async with self._database.exclusive_transaction() as connection:
            return await _record(connection, channel, superevent_id, names, decision.value, by)

    async def remove(self, channel: ChannelRef, superevent_id: str, name: str, by: ChangeAuthor) -> bool:
        """Remove a candidate that the same person added; return True if the channel has the event's thread.

        Raises NotTheirCandidate if only others added it, LookupError if nobody did, TooManyActions.
        """
        async with self._database.exclusive_transaction() as connection:
            wanted = _names(name)
            present = [
                row
                for row in await _load(connection, _c, channel, superevent_id)
                if _names(row.name) & wanted
            ]
            own = [row.id for row in present if row.added_by == by.user_id]
            if not own:
                raise NotTheirCandidate if present else LookupError(name)
            await connection.execute(delete(_c).where(_c.c.id.in_(own)))
            return await _record(connection, channel, superevent_id, [name], _REMOVED, by)


def position_to_json(position: ReportedPosition) -> str:
    """Return the stored form of a position that a person added."""
    return json.dumps(position_to_record(position))


def position_from_json(text: str) -> ReportedPosition:
    """Return a stored position; what another version of gwevent stored besides is left out."""
    return position_from_record(json.loads(text))


def _names(name: str) -> frozenset[str]:
    """Return the names in "SSS17a = AT2017gfo", normalized."""
    return frozenset(map(normalize_name, split_names(name)))


def _about(channel: ChannelRef, superevent_id: str) -> dict[str, object]:
    return {"team_id": channel[0], "channel_id": channel[1], "superevent_id": superevent_id}


def _is_about(table: Table, channel: ChannelRef, superevent_id: str) -> ColumnElement[bool]:
    return in_channel(table, channel) & (table.c.superevent_id == superevent_id)


async def _load(
    connection: AsyncConnection, table: Table, channel: ChannelRef, superevent_id: str
) -> Sequence[Any]:
    query = select(table).where(_is_about(table, channel, superevent_id)).order_by(table.c.id)
    return (await connection.execute(query)).all()


async def _record(
    connection: AsyncConnection,
    channel: ChannelRef,
    superevent_id: str,
    names: Sequence[str],
    action: str,
    by: ChangeAuthor,
) -> bool:
    """Keep what a person did, and have the Follow-up reply show it; return True if there is a thread."""
    counted = select(func.count()).select_from(_d).where(_is_about(_d, channel, superevent_id))
    if (await connection.execute(counted)).scalar_one() + len(names) > MAX_ACTIONS:
        raise TooManyActions
    await connection.execute(
        insert(_d),
        [
            {
                **_about(channel, superevent_id),
                "name": name,
                "decision": action,
                "decided_by": by.user_id,
                "decided_at": by.at,
            }
            for name in names
        ],
    )
    found = select(_t.c.id).where(_is_about(_t, channel, superevent_id))
    thread = (await connection.execute(found)).scalar_one_or_none()
    if thread is None:
        return False
    await request_follow_ups(connection, {thread: channel}, by.at)
    return True
