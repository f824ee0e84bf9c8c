"""The columns that hold ids of people, and how a person is forgotten.

`PERSON_COLUMNS` names every column that may hold the id of a person, and what becomes of it; a test compares
it with the schema, so that a new column can't be left out. What is a person's own goes, what is the channel's
stays without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import FilterSyntaxError, parse_stored_criteria
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.acknowledgements import forget_acknowledgements
from bot.store.channels.change_log import ChangeAuthor, record_changes, subscription_change
from bot.store.channels.clauses import in_channel
from bot.store.channels.escalation_rules import end_steps_without_rule
from bot.store.channels.subscription_numbers import assign_missing_subscription_numbers
from bot.store.channels.subscription_rows import resolve_rows
from bot.store.database import Database
from bot.store.outbox.edit_writer import mark_threads_stale
from formatters.models.channel_change import BY_FORGETTING
from formatters.models.forgotten import FORGOTTEN
from formatters.models.subscription import Criteria

USER_ID = re.compile(r"[UW][A-Z0-9]{1,31}")
"""Slack's ids of people."""


class Treatment(StrEnum):
    """The treatments of rows that name a person who is to be forgotten, one for each column."""

    DELETED = "deleted"
    """The row goes: it was about nothing else."""
    ANONYMIZED = "kept for a forgotten person"
    """The row is the channel's and stays; another id takes the place of the person's."""
    REPLACED = "kept with a forgotten person in the words"
    """The text stays, with another id in the place of the person's."""
    TAKEN_OUT = "taken out of the list"
    """The person is taken out of the list of mentions, unless a rule goes on to mention them there."""
    RULE = "taken out of the rule"
    """The person is taken out of a subscription's rule, and the channel is told."""


@dataclass(frozen=True, slots=True)
class PersonColumn:
    """A column that may hold the id of a person."""

    column: Column[Any]
    treatment: Treatment
    because: str
    """The person's part, in the words of the privacy table."""

    @property
    def name(self) -> str:
        """The column with its table: "observers.user_id"."""
        return f"{self.column.table.name}.{self.column.name}"


def _column(column: Column[Any], treatment: Treatment, because: str) -> PersonColumn:
    return PersonColumn(column, treatment, because)


PERSON_COLUMNS: tuple[PersonColumn, ...] = (
    # First, since the other columns must not be asked for a rule's people any more.
    _column(schema.subscriptions.c.words, Treatment.RULE, "whom a subscription mentions"),
    _column(schema.mentions.c.targets, Treatment.TAKEN_OUT, "whom an event mentioned"),
    _column(schema.escalation_steps.c.targets, Treatment.TAKEN_OUT, "who is next if nobody takes an event"),
    _column(schema.escalation_steps.c.unless_told, Treatment.TAKEN_OUT, "whom two rules name as next"),
    _column(schema.refused_mentions.c.target, Treatment.DELETED, "whom Slack refuses to mention"),
    _column(schema.observers.c.user_id, Treatment.DELETED, "who observes without a telescope"),
    _column(schema.acknowledgements.c.user_id, Treatment.DELETED, "who has an event: it is handed back"),
    # The direct message to who installed the app is addressed to them.
    _column(schema.deliveries.c.channel_id, Treatment.DELETED, "who was welcomed"),
    _column(schema.channel_problems.c.channel_id, Treatment.DELETED, "who couldn't be welcomed"),
    _column(schema.muted_threads.c.muted_by, Treatment.ANONYMIZED, "who muted an event in a channel"),
    _column(schema.observations.c.user_id, Treatment.ANONYMIZED, "who reported an observation"),
    _column(schema.observations.c.note, Treatment.REPLACED, "whom a remark on an observation names"),
    _column(schema.event_actions.c.user_id, Treatment.ANONYMIZED, "who did what about an event"),
    _column(schema.event_actions.c.detail, Treatment.REPLACED, "whom the words of it name"),
    _column(schema.escalations.c.started_by, Treatment.ANONYMIZED, "who began a drill"),
    _column(schema.escalations.c.acknowledged_by, Treatment.ANONYMIZED, "who took or stopped a drill"),
    _column(schema.counterparts.c.added_by, Treatment.ANONYMIZED, "who added a counterpart candidate"),
    _column(schema.counterpart_decisions.c.decided_by, Treatment.ANONYMIZED, "who decided about one"),
    _column(schema.subscriptions.c.created_by, Treatment.ANONYMIZED, "who subscribed a channel"),
    _column(schema.criteria_sets.c.created_by, Treatment.ANONYMIZED, "who made a criteria set"),
    _column(schema.criteria_sets.c.changed_by, Treatment.ANONYMIZED, "who changed a criteria set"),
    _column(schema.channel_changes.c.changed_by, Treatment.ANONYMIZED, "who changed what a channel receives"),
    _column(schema.channel_changes.c.state_before, Treatment.REPLACED, "whom the words before a change name"),
    _column(schema.channel_changes.c.state_after, Treatment.REPLACED, "whom the words after a change name"),
    _column(schema.installations.c.installed_by, Treatment.ANONYMIZED, "who installed the app"),
)
"""Every column that may hold the id of a person, in the order in which they are treated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOf:
    """A subscription whose rule mentions the person, or whose messages go to them alone."""

    team_id: str
    channel_id: str
    number: int | None
    problem: str | None = None
    """The work that is left, as a sentence; None if they were taken out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """The changes that forget a person, made or only counted."""

    rows: Mapping[str, int]
    """The number of rows by `PersonColumn.name`; those without rows are left out."""
    rules: tuple[RuleOf, ...] = ()
    """The subscriptions that mention them, or that are in a direct message of theirs."""
    cards: int = 0
    """Messages in Slack that are edited, because they show the person."""

    @property
    def is_nothing(self) -> bool:
        """True if the person is named nowhere."""
        return not self.rows and not self.rules


class _DryRun(Exception):
    """Ends a transaction without a commit."""


class PersonalData:
    """Forgets people. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, user_id: str, now: datetime, *, dry_run: bool = False) -> Forgetting:
        """Delete a person's rows and take them out of those that stay, in one transaction.

        With `dry_run` return what would be changed, and change nothing. Raises ValueError for what isn't
        Slack's id of a person.
        """
        if USER_ID.fullmatch(user_id) is None or user_id == FORGOTTEN:
            raise ValueError(f"{user_id!r} isn't Slack's id of a person")
        done: Forgetting | None = None
        try:
            async with self._database.exclusive_transaction() as connection:
                done = await _forget(connection, user_id, now)
                if dry_run:
                    raise _DryRun
        except _DryRun:
            pass
        assert done is not None
        return done


async def _forget(connection: AsyncConnection, user_id: str, now: datetime) -> Forgetting:
    threads = await _threads_that_show(connection, user_id)
    rules = await _leave_rules(connection, user_id, now)
    kept_in = {(rule.team_id, rule.channel_id) for rule in rules if rule.problem is not None}
    rules += await _own_direct_messages(connection, user_id)
    rows: dict[str, int] = {}
    for one in PERSON_COLUMNS:
        match one.treatment:
            case Treatment.DELETED if one.column is schema.acknowledgements.c.user_id:
                # After the steps, of which no one is to name them again.
                count = await forget_acknowledgements(connection, user_id, now)
            case Treatment.DELETED:
                count = await _delete(connection, one.column, user_id)
            case Treatment.ANONYMIZED:
                is_theirs = one.column == user_id
                table = one.column.table
                statement = update(table).where(is_theirs).values({one.column: FORGOTTEN})
                count = (await connection.execute(statement)).rowcount
            case Treatment.REPLACED:
                count = await _rewrite(connection, one.column, user_id, _replacing(user_id))
            case Treatment.TAKEN_OUT:
                count = await _rewrite(connection, one.column, user_id, _taking_out(user_id), kept_in)
            case Treatment.RULE:
                count = 0
        if count:
            rows[one.name] = count
    await _cancel_empty_steps(connection)
    await mark_threads_stale(connection, threads, now, even_muted=True)
    return Forgetting(rows=rows, rules=tuple(rules), cards=len(threads))


async def _delete(connection: AsyncConnection, column: Column[Any], user_id: str) -> int:
    whole = user_id if column is not schema.refused_mentions.c.target else f"<@{user_id}>"
    return (await connection.execute(delete(column.table).where(column == whole))).rowcount


def _replacing(user_id: str) -> Callable[[str], str]:
    whole = re.compile(rf"(?<![A-Za-z0-9]){user_id}(?![A-Za-z0-9])")
    return lambda text: whole.sub(FORGOTTEN, text)


def _taking_out(user_id: str) -> Callable[[str], str]:
    return lambda text: " ".join(target for target in text.split() if target != f"<@{user_id}>")


async def _rewrite(
    connection: AsyncConnection,
    column: Column[Any],
    user_id: str,
    rewritten: Callable[[str], str],
    kept_in: Collection[ChannelRef] = (),
) -> int:
    """Rewrite the texts that name a person, except in the channels `kept_in`; return how many changed."""
    table = column.table
    key = list(table.primary_key.columns)
    query = select(*key, column.label("text")).where(column.contains(user_id, autoescape=True))
    count = 0
    for row in (await connection.execute(query)).mappings().all():
        text = rewritten(row["text"])
        if text == row["text"]:
            continue
        if kept_in and await _channel_of(connection, column, row[key[0].name]) in kept_in:
            continue
        this = [one == row[one.name] for one in key]
        await connection.execute(update(table).where(*this).values({column: text}))
        count += 1
    return count


async def _channel_of(connection: AsyncConnection, column: Column[Any], row_id: int) -> ChannelRef | None:
    """Return the channel of a mention or of an escalation's step."""
    t, m, e, s = schema.threads, schema.mentions, schema.escalations, schema.escalation_steps
    if column.table is m:
        query = select(t.c.team_id, t.c.channel_id).join(m, m.c.thread_id == t.c.id).where(m.c.id == row_id)
    else:
        query = select(e.c.team_id, e.c.channel_id).join(s, s.c.escalation_id == e.c.id)
        query = query.where(s.c.id == row_id)
    row = (await connection.execute(query)).first()
    return None if row is None else (row.team_id, row.channel_id)


async def _cancel_empty_steps(connection: AsyncConnection) -> None:
    """Cancel the steps that wait and would mention nobody any more."""
    s = schema.escalation_steps
    empty = (s.c.targets == "") & s.c.webhook.is_(False) & (s.c.state == "waiting")
    await connection.execute(update(s).where(empty).values(state="cancelled"))


async def _threads_that_show(connection: AsyncConnection, user_id: str) -> dict[int, ChannelRef]:
    """Return the threads whose card names a person, as far as it is posted."""
    t, o = schema.threads, schema.observations
    named = [
        select(t.c.id).join(table, table.c.thread_id == t.c.id).where(column == user_id)
        for table, column in (
            (schema.observers, schema.observers.c.user_id),
            (schema.acknowledgements, schema.acknowledgements.c.user_id),
            (schema.muted_threads, schema.muted_threads.c.muted_by),
        )
    ]
    same = in_channel_of(o.c, t.c) & (o.c.superevent_id == t.c.superevent_id)
    named.append(select(t.c.id).join(o, same).where(o.c.user_id == user_id))
    found: dict[int, ChannelRef] = {}
    for query in named:
        places = select(t.c.id, t.c.team_id, t.c.channel_id).where(
            t.c.id.in_(query), t.c.root_ts.is_not(None)
        )
        for row in (await connection.execute(places)).all():
            found[row.id] = (row.team_id, row.channel_id)
    return found


def in_channel_of(one: Any, other: Any) -> Any:
    """Return the condition that two tables' rows belong to the same channel."""
    return (one.team_id == other.team_id) & (one.channel_id == other.channel_id)


async def _leave_rules(connection: AsyncConnection, user_id: str, now: datetime) -> list[RuleOf]:
    """Take a person out of every rule that mentions them, and have the channels told."""
    s = schema.subscriptions
    naming = select(s).where(s.c.words.contains(f"<@{user_id}>", autoescape=True))
    for channel in {
        (row.team_id, row.channel_id)
        for row in (await connection.execute(naming)).all()
        if row.number is None
    }:
        await assign_missing_subscription_numbers(connection, channel)
    rows = (await connection.execute(naming.order_by(s.c.team_id, s.c.channel_id, s.c.id))).all()
    done = []
    for row in rows:
        problem = await _leave_rule(connection, row, user_id, now)
        done.append(
            RuleOf(team_id=row.team_id, channel_id=row.channel_id, number=row.number, problem=problem)
        )
    return done


async def _own_direct_messages(connection: AsyncConnection, user_id: str) -> list[RuleOf]:
    """Return what a person subscribed in a direct message, whose id is that of a conversation with one."""
    s = schema.subscriptions
    query = select(s).where(s.c.created_by == user_id, s.c.channel_id.startswith("D"))
    rows = (await connection.execute(query.order_by(s.c.id))).all()
    problem = "It is in a direct message, perhaps their own, and goes on: /gwevent unsubscribe there ends it."
    return [
        RuleOf(team_id=row.team_id, channel_id=row.channel_id, number=row.number, problem=problem)
        for row in rows
    ]


async def _leave_rule(connection: AsyncConnection, row: Any, user_id: str, now: datetime) -> str | None:
    """Take a person out of one subscription's rule; return why not, as a sentence, or None if it was done."""
    s, channel = schema.subscriptions, (row.team_id, row.channel_id)
    try:
        after = without_target(parse_stored_criteria(row.words), f"<@{user_id}>")
    except FilterSyntaxError:
        return "Its words can't be read by this version."
    if after is None:
        return "It mentions nobody else: end it, or edit whom it mentions."
    same = select(func.count()).where(in_channel(s, channel), s.c.words == after.canonical)
    if (await connection.execute(same)).scalar_one():
        return "Without them it would be the same as another of the channel's: end one of the two."
    (before,) = await resolve_rows(connection, [row])
    await connection.execute(update(s).where(s.c.id == row.id).values(words=after.canonical))
    if row.confirmed_at is not None:
        change = subscription_change(before, replace(before, criteria=after))
        await record_changes(connection, channel, ChangeAuthor(BY_FORGETTING, now), [change])
        await end_steps_without_rule(connection, channel, now)
    return None


def without_target(criteria: Criteria, target: str) -> Criteria | None:
    """Return criteria that no longer mention a target; None if they would mention nobody at all.

    A step that mentions nobody else is left out.
    """
    rule = criteria.notify
    if rule is None:
        return criteria
    targets = tuple(one for one in rule.targets if one != target)
    if not targets:
        return None
    steps = [
        replace(step, targets=tuple(one for one in step.targets if one != target)) for step in rule.escalation
    ]
    kept = tuple(step for step in steps if step.webhook or step.targets)
    return replace(criteria, notify=replace(rule, targets=targets, escalation=kept))
