"""Repository of related messages: circulars, neutrino searches and all others that name a superevent.

A message has a row for each superevent that it names, known or not. Its versions share stream and key: a
newer one takes the place of the older ones, whatever the order in which they come, so that repeats and a
second broker change nothing. A version that names no event belongs to those that its key named before (a
sender's retraction may say no more than whom it retracts). But of a circular, each version is the whole text:
where an edited one no longer names an event, the event's row holds it and isn't shown.

A repeat writes nothing and takes no lock. A message costs the subscriptions' rows only if its event has a
thread: most circulars are about no superevent, or about none that anybody follows.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from typing import Any

import structlog
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import Intent
from bot.routing.related_messages import MessageState
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from bot.store.events.message_json import from_json, to_json
from bot.store.events.rows import UNREADABLE, inserted_id
from bot.store.outbox.announcement_writer import write_follow_ups
from bot.store.outbox.plan_writer import load_threads
from formatters.models.notice import Notice
from formatters.models.related_message import CANDIDATE_STREAMS, RelatedMessage, StoredMessage, Stream
from formatters.models.superevent import Superevent

MAX_KEY_LENGTH = 128
MAX_ID_LENGTH = 64
MAX_CANDIDATE_CHARACTERS = 2_000_000
"""Most of BOOM's and HERMES' messages about one event that are read, as JSON, the newest: five thousand
transients, or some hundred long tables. Anyone with a credential may send them, in any number."""

MessagePlanner = Callable[[MessageState], list[Intent]]
"""`bot.routing.related_messages.plan_message`."""

MessageVersions = tuple[tuple[int, datetime, datetime], ...]
"""Id, time of writing and time of receipt of each message about a superevent."""

_m = schema.related_messages

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMessage:
    """The outcome of recording a message."""

    superevent_ids: tuple[str, ...]
    """The events that it is stored for; none if neither it nor an older version names any."""
    is_new: bool
    """False if nothing changed: this or a newer version was stored before."""
    intents: int
    """The number of intents in its plan."""


class RelatedMessageRepository:
    """Stores related messages with their plans, and returns them. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self,
        message: RelatedMessage,
        received_at: datetime,
        *,
        is_news: bool,
        is_current: bool | None = None,
        plan: MessagePlanner,
    ) -> RecordedMessage:
        """Store a message for each event that it names and write its plan, in one transaction.

        `is_news` is False for an old message and one from an archive, which plan nothing. `is_current`, by
        default the same, is True also for a new edit of an old message, which changes the replies that stand.
        Raises StoreUnavailable: then nothing was stored.
        """
        is_current = is_news if is_current is None else is_current
        async with self._database.read_transaction() as connection:
            known = await _load_versions(connection, message)
        if _is_outdated_circular(message, known):
            return RecordedMessage(superevent_ids=tuple(known), is_new=False, intents=0)
        ids = _named_ids(message, known)
        # HERMES' messages don't say when they were written: the time is that of their first receipt.
        undated = message.created == received_at
        if all(_is_repeat(message, known.get(name), is_news=is_news, undated=undated) for name in ids):
            return RecordedMessage(superevent_ids=ids, is_new=False, intents=0)
        facts = to_json(message)
        is_new, planned = False, 0
        async with self._database.exclusive_transaction() as connection:
            # Another consumer may have stored it meanwhile.
            known = await _load_versions(connection, message)
            if _is_outdated_circular(message, known):
                return RecordedMessage(superevent_ids=tuple(known), is_new=False, intents=0)
            ids = _named_ids(message, known)
            for superevent_id in ids:
                old = known.get(superevent_id)
                if _is_repeat(message, old, is_news=is_news, undated=undated):
                    continue
                is_new = True
                row_id = await _write(connection, message, facts, superevent_id, old, received_at, is_news)
                if not is_current:
                    continue
                was_news = old is not None and bool(old.news)
                is_edit = message.first_created is not None and (was_news or not is_news)
                state = await _load_state(connection, message, superevent_id, row_id, is_edit=is_edit)
                if state is None:
                    continue
                if is_edit and (old is None or not was_news or old.retracts_event):
                    # What an old message says, or an edited one has said before, isn't announced.
                    state = replace(state, had_retracted=True)
                intents = plan(state)
                await write_follow_ups(connection, intents, superevent_id, received_at)
                planned += len(intents)
        return RecordedMessage(superevent_ids=ids, is_new=is_new, intents=planned)

    async def for_event(self, superevent_id: str) -> list[StoredMessage]:
        """Return the messages about a superevent, those that were sent last first, edited or not.

        All, but for BOOM's and HERMES' oldest beyond MAX_CANDIDATE_CHARACTERS.
        """
        about = _m.c.superevent_id == superevent_id
        order = (_m.c.created_at.desc(), _m.c.id.desc())
        candidates = about & _m.c.stream.in_([stream.value for stream in CANDIDATE_STREAMS])
        sizes = select(_m.c.id, func.length(_m.c.facts)).where(candidates).order_by(*order)
        async with self._database.read_transaction() as connection:
            found = (await connection.execute(sizes)).all()
            sums = accumulate(size for _, size in found)
            beyond = [
                row[0] for row, total in zip(found, sums, strict=True) if total > MAX_CANDIDATE_CHARACTERS
            ]
            query = select(_m).where(about)
            if beyond:
                read = [row[0] for row in found[: len(found) - len(beyond)]]
                query = query.where(
                    _m.c.stream.not_in([s.value for s in CANDIDATE_STREAMS]) | _m.c.id.in_(read)
                )
            rows = (await connection.execute(query.order_by(*order))).all()
        if beyond:
            log.warning("candidates_left_out", superevent_id=superevent_id, messages=len(beyond))
        # In a thread, for a thousand long ones take a second.
        shown = await asyncio.to_thread(_shown, rows)
        # An edit moves no circular up.
        return sorted(shown, key=lambda stored: (stored.message.sent, stored.id), reverse=True)

    async def versions(self, superevent_id: str) -> MessageVersions:
        """Return a fingerprint that differs as soon as a message about the superevent is new or changed.

        It costs much less than the messages, whose tables of positions may be long.
        """
        query = select(_m.c.id, _m.c.created_at, _m.c.received_at).where(_m.c.superevent_id == superevent_id)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query.order_by(_m.c.id))).all()
        return tuple((row.id, row.created_at, row.received_at) for row in rows)

    async def get(self, row_id: int) -> StoredMessage | None:
        """Return a message by the id of its row; None if it is gone, or can't be read, or isn't shown."""
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(select(_m).where(_m.c.id == row_id))).all()
        return next(iter(_shown(rows)), None)


async def _load_state(
    connection: AsyncConnection, message: RelatedMessage, superevent_id: str, row_id: int, *, is_edit: bool
) -> MessageState | None:
    """Load the state on which the plan of a stored message depends; None if the event has no thread."""
    threads = await load_threads(connection, superevent_id)
    if not threads:
        return None
    had_retracted = is_retracted = False
    if message.retracts_event:
        had_retracted = await has_retraction_circular(connection, superevent_id, besides=row_id)
        is_retracted = await _is_retracted(connection, superevent_id)
    return MessageState(
        message=message,
        message_id=row_id,
        threads=threads,
        subscriptions=await load_active_subscriptions(connection),
        is_event_retracted=is_retracted,
        had_retracted=had_retracted,
        is_named=_is_shown(message, superevent_id),
        is_edit=is_edit,
    )


async def has_retraction_circular(
    connection: AsyncConnection, superevent_id: str, *, besides: int = 0
) -> bool:
    """Return True if a circular that was news retracts the event, other than that of the row `besides`."""
    query = select(_m.c.id).where(
        _m.c.superevent_id == superevent_id, _m.c.retracts_event, _m.c.news, _m.c.id != besides
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def _is_retracted(connection: AsyncConnection, superevent_id: str) -> bool:
    table = schema.notices
    query = select(table.c.facts).where(table.c.superevent_id == superevent_id, table.c.facts.is_not(None))
    notices = [Notice.from_json(facts) for facts in (await connection.execute(query)).scalars()]
    return bool(notices) and Superevent.from_notices(notices).is_retracted


async def _load_versions(connection: AsyncConnection, message: RelatedMessage) -> dict[str, Any]:
    """Return the stored rows of a message's versions, by superevent."""
    query = select(_m).where(_m.c.stream == message.stream.value, _m.c.key == row_key(message.key))
    return {row.superevent_id: row for row in (await connection.execute(query.order_by(_m.c.id))).all()}


def _named_ids(message: RelatedMessage, known: dict[str, Any]) -> tuple[str, ...]:
    named = [name for name in message.superevent_ids if 0 < len(name) <= MAX_ID_LENGTH and "\0" not in name]
    if message.stream is Stream.CIRCULARS:
        named += known
    return tuple(dict.fromkeys(named)) or tuple(known)


def _is_outdated_circular(message: RelatedMessage, known: dict[str, Any]) -> bool:
    """Return True if a newer version of the circular is stored, for whichever events."""
    is_circular = message.stream is Stream.CIRCULARS
    return is_circular and any(row.created_at > message.created for row in known.values())


def _is_shown(message: RelatedMessage, superevent_id: str) -> bool:
    """Return False for an edited circular that an older version's event no longer stands in."""
    return message.stream is not Stream.CIRCULARS or superevent_id in message.superevent_ids


def _is_repeat(message: RelatedMessage, row: Any, *, is_news: bool, undated: bool) -> bool:
    """Return True if the row holds this version or a newer one, and has told it if it is news.

    Of two versions of the same second the withdrawal is the later one, whichever comes first. One that is
    `undated` is a version of its own only if it says something else.
    """
    if row is None:
        return False
    created: datetime = row.created_at
    if message.created < created:
        return True
    found = _read_rows([row])
    if not found:
        # A newer gwevent wrote what this one can't read.
        return False
    stored = found[0].message
    if message.created == stored.created:
        if stored.is_retracted != message.is_retracted:
            return stored.is_retracted
        # If a file brought it first, nobody was told.
        return bool(row.news) or not is_news or not _is_shown(message, row.superevent_id)
    return undated and replace(message, created=stored.created) == stored


async def _write(
    connection: AsyncConnection,
    message: RelatedMessage,
    facts: str,
    superevent_id: str,
    old: Any,
    received_at: datetime,
    is_news: bool,
) -> int:
    """Insert the row, or replace the older version in it; return its id."""
    is_named = _is_shown(message, superevent_id)
    values = {
        "retracts_event": message.retracts_event and is_named,
        "facts": facts,
        "created_at": message.created,
        "received_at": received_at,
    }
    if old is not None:
        # What was news once goes on to be shown in threads that are opened later.
        values["news"] = is_named and (is_news or old.news)
        await connection.execute(update(_m).where(_m.c.id == old.id).values(values))
        return int(old.id)
    row = {
        "stream": message.stream.value,
        "key": row_key(message.key),
        "superevent_id": superevent_id,
        "news": is_news,
        **values,
    }
    return inserted_id((await connection.execute(insert(_m).values(row))).inserted_primary_key)


def _shown(rows: Sequence[Any]) -> list[StoredMessage]:
    return [stored for stored in _read_rows(rows) if _is_shown(stored.message, stored.superevent_id)]


def row_key(key: str) -> str:
    """Return a message's key as the table holds it: a long one, or one of odd characters, by its hash."""
    if len(key) <= MAX_KEY_LENGTH and key.isprintable():
        return key
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'backslashreplace')).hexdigest()}"


def _read_rows(rows: Sequence[Any]) -> list[StoredMessage]:
    """Return the messages of these rows that this version can read; each other one is logged and left out."""
    found = []
    for row in rows:
        try:
            message = from_json(row.facts)
        except UNREADABLE:
            # A newer version may have stored it; it must not hide the others.
            log.exception("stored_message_unreadable", superevent_id=row.superevent_id, id=row.id)
            continue
        found.append(
            StoredMessage(
                id=row.id, superevent_id=row.superevent_id, message=message, received=row.received_at
            )
        )
    return found
