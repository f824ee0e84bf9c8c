"""Repository of workspaces' criteria sets.

A set that a subscription names can't be removed, nor a grade that one compares with. A changed set changes
what each channel that uses it receives, so the change is posted there; where somebody made it, it is kept in
the channel's history in any case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import FilterSyntaxError, parse_stored_criteria
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.change_log import (
    ChangeAuthor,
    ChangeRecord,
    criteria_set_state,
    record_change_in_channels,
    record_changes,
)
from bot.store.channels.clauses import IN_FORCE
from bot.store.channels.criteria_set_rows import (
    all_sets,
    encode_grades,
    load_grades,
    may_name_sets,
    readable_sets,
)
from bot.store.channels.subscription_numbers import assign_missing_subscription_numbers
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from formatters.models.criteria_set import SETS_MAX, CriteriaSet
from formatters.models.filter import GradeCondition
from formatters.models.subscription import Criteria, Subscription

_c = schema.criteria_sets
_s = schema.subscriptions

MAY_SHOW_SETS = _s.c.words.contains("criteria ")
"""The condition that a subscription may show criteria sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCriteriaSet:
    """A workspace's criteria set, and who made and changed it."""

    set: CriteriaSet
    created_by: str
    """Slack's user id, or `BY_IMPORT`."""
    created_at: datetime
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUse:
    """A subscription that names a criteria set."""

    channel_id: str
    number: int
    is_confirmed: bool
    """False if its confirmation isn't posted yet, so that its channel hears of nothing."""
    grades: tuple[str, ...]
    """The set's grades that its conditions name; empty if it only shows the set, or asks for any grade."""
    conditions: tuple[GradeCondition, ...] = field(default=(), compare=False)
    """Its conditions on the set, without definition."""


class CriteriaSetExists(Exception):
    """The workspace has a set of this name."""


class TooManyCriteriaSets(Exception):
    """The workspace would have more sets than `SETS_MAX`."""


class CriteriaSetChanged(Exception):
    """The set isn't as it was when it was shown to the person."""

    def __init__(self, current: CriteriaSet) -> None:
        super().__init__(current.slug)
        self.current = current


class CriteriaSetInUse(Exception):
    """Subscriptions name the set, or those of its grades that would disappear."""

    def __init__(self, uses: Sequence[SetUse], grades: Sequence[str] = ()) -> None:
        super().__init__(len(uses))
        self.uses = tuple(uses)
        self.grades = tuple(grades)
        """The grades that would disappear and are named; empty if it is the set itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedSet:
    """The result of a change to a criteria set."""

    before: CriteriaSet | None
    after: CriteriaSet | None
    notified_channels: tuple[str, ...] = ()
    """Ids of the channels that use it, in which the change is posted."""


class CriteriaSetRepository:
    """Stores criteria sets with the posts about their changes. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_team(self, team_id: str) -> list[StoredCriteriaSet]:
        """Return a workspace's own sets by name, without those that only another version can read."""
        async with self._database.read_transaction() as connection:
            return [stored for _, stored in await load_sets(connection, team_id)]

    async def sets_by_slug(self, team_id: str) -> Mapping[str, CriteriaSet]:
        """Return the built-in sets and the workspace's own, by name."""
        async with self._database.read_transaction() as connection:
            return all_sets((await load_grades(connection, team_id)).get(team_id, {}))

    async def for_channels(
        self, channel_refs: Collection[ChannelRef]
    ) -> dict[ChannelRef, tuple[CriteriaSet, ...]]:
        """Return the sets that the active subscriptions of these channels show, in their order, each once.

        Channels that show none are left out, and so are sets that aren't there.
        """
        wanted = set(channel_refs)
        teams, channels = {team for team, _ in wanted}, {channel for _, channel in wanted}
        query = select(_s.c.team_id, _s.c.channel_id, _s.c.words).order_by(_s.c.id)
        query = query.where(_s.c.team_id.in_(teams), _s.c.channel_id.in_(channels))
        query = query.where(IN_FORCE, MAY_SHOW_SETS)
        chosen: defaultdict[ChannelRef, dict[str, None]] = defaultdict(dict)
        async with self._database.read_transaction() as connection:
            for row in (await connection.execute(query)).all():
                criteria = _readable_criteria(row.words)
                if criteria is not None and (row.team_id, row.channel_id) in wanted:
                    chosen[row.team_id, row.channel_id].update(dict.fromkeys(criteria.criteria_sets))
            named = {team for (team, _), slugs in chosen.items() if slugs}
            sets = {team: all_sets((await load_grades(connection, team)).get(team, {})) for team in named}
        found = {
            channel_ref: tuple(sets[channel_ref[0]][slug] for slug in slugs if slug in sets[channel_ref[0]])
            for channel_ref, slugs in chosen.items()
            if slugs
        }
        return {channel_ref: shown for channel_ref, shown in found.items() if shown}

    async def uses(self, team_id: str) -> dict[str, list[SetUse]]:
        """Return the workspace's subscriptions that name a set, by its name, sorted by channel and number."""
        async with self._database.read_transaction() as connection:
            found = await _load_uses(connection, team_id)
        if found is not None:
            return found
        async with self._database.exclusive_transaction() as connection:
            return await _load_numbered_uses(connection, team_id)

    async def list_missing(self) -> list[Subscription]:
        """Return the subscriptions of all workspaces that name a set or a grade that isn't there."""
        async with self._database.read_transaction() as connection:
            every = await load_active_subscriptions(connection, include_paused=True)
        return [subscription for subscription in every if subscription.missing_sets]

    async def add(self, team_id: str, channel_id: str, new: CriteriaSet, by: ChangeAuthor) -> ChangedSet:
        """Add a set to a workspace; `channel_id` is where somebody does that.

        Raises CriteriaSetExists, TooManyCriteriaSets.
        """
        async with self._database.exclusive_transaction() as connection:
            return await add_set(connection, team_id, new, by, channel_id)

    async def edit(
        self, team_id: str, channel_id: str, new: CriteriaSet, by: ChangeAuthor, seen: str | None = None
    ) -> ChangedSet | None:
        """Replace the grades of the workspace's set of this name; return None if there is none.

        `channel_id` is where somebody does that, `seen` the fingerprint of the set as they saw it. Raises
        CriteriaSetInUse if a subscription compares with a grade that would disappear, CriteriaSetChanged.
        """
        async with self._database.exclusive_transaction() as connection:
            return await edit_set(connection, team_id, new, by, channel_id, seen)

    async def remove(
        self, team_id: str, channel_id: str, slug: str, by: ChangeAuthor, seen: str | None = None
    ) -> ChangedSet | None:
        """Remove a workspace's set; return None if there is none of this name.

        Raises CriteriaSetInUse if a subscription names it, CriteriaSetChanged.
        """
        async with self._database.exclusive_transaction() as connection:
            before = await _load_set(connection, team_id, slug)
            if before is None:
                return None
            if seen is not None and before.fingerprint != seen:
                raise CriteriaSetChanged(before)
            uses = (await _load_numbered_uses(connection, team_id)).get(slug)
            if uses:
                raise CriteriaSetInUse(uses)
            await connection.execute(delete(_c).where(_is_set(team_id, slug)))
            return await _record(connection, team_id, by, before, None, (), channel_id)


async def add_set(
    connection: AsyncConnection,
    team_id: str,
    new: CriteriaSet,
    by: ChangeAuthor,
    channel_id: str | None = None,
    *,
    imported: StoredCriteriaSet | None = None,
) -> ChangedSet:
    """Add a set to a workspace; `channel_id` is where somebody does that, None for the operator.

    Of an `imported` one its authors and times are kept. Raises CriteriaSetExists, TooManyCriteriaSets: then
    the caller must roll back.
    """
    slugs = set((await connection.execute(select(_c.c.slug).where(_c.c.team_id == team_id))).scalars())
    if new.slug in slugs:
        raise CriteriaSetExists(new.slug)
    if len(slugs) >= SETS_MAX:
        raise TooManyCriteriaSets(team_id)
    made = imported or StoredCriteriaSet(
        set=new, created_by=by.user_id, created_at=by.at, changed_by=by.user_id, changed_at=by.at
    )
    row = {
        "team_id": team_id,
        "slug": new.slug,
        "grades": encode_grades(new),
        "created_by": made.created_by,
        "created_at": made.created_at,
        "changed_by": made.changed_by,
        "changed_at": made.changed_at,
    }
    await connection.execute(insert(_c).values(row))
    # Some subscription may have named it before it was there.
    uses = (await _load_numbered_uses(connection, team_id)).get(new.slug, ())
    return await _record(connection, team_id, by, None, new, uses, channel_id)


async def edit_set(
    connection: AsyncConnection,
    team_id: str,
    new: CriteriaSet,
    by: ChangeAuthor,
    channel_id: str | None = None,
    seen: str | None = None,
) -> ChangedSet | None:
    """Replace the grades of a workspace's set; return None if there is none of this name.

    Raises CriteriaSetInUse, CriteriaSetChanged: then the caller must roll back.
    """
    before = await _load_set(connection, team_id, new.slug)
    if before is None:
        return None
    if seen is not None and before.fingerprint != seen:
        raise CriteriaSetChanged(before)
    if before.canonical == new.canonical:
        return ChangedSet(before=before, after=before)
    uses = (await _load_numbered_uses(connection, team_id)).get(new.slug, [])
    gone = {grade.name.casefold() for grade in before.grades if new.find_grade(grade.name) is None}
    losing = [use for use in uses if any(name.casefold() in gone for name in use.grades)]
    if losing:
        named = dict.fromkeys(n for use in losing for n in use.grades if n.casefold() in gone)
        raise CriteriaSetInUse(losing, tuple(named))
    values = {"grades": encode_grades(new), "changed_by": by.user_id, "changed_at": by.at}
    await connection.execute(update(_c).where(_is_set(team_id, new.slug)).values(values))
    return await _record(connection, team_id, by, before, new, uses, channel_id)


async def load_sets(
    connection: AsyncConnection, team_id: str | None = None
) -> list[tuple[str, StoredCriteriaSet]]:
    """Return the sets of all workspaces, or of one, each with its team, sorted by team and name."""
    query = select(_c).order_by(_c.c.team_id, _c.c.slug)
    if team_id is not None:
        query = query.where(_c.c.team_id == team_id)
    found = []
    for row in (await connection.execute(query)).all():
        set_ = readable_sets({row.slug: row.grades}).get(row.slug)
        if set_ is not None:
            stored = StoredCriteriaSet(
                set=set_,
                created_by=row.created_by,
                created_at=row.created_at,
                changed_by=row.changed_by,
                changed_at=row.changed_at,
            )
            found.append((row.team_id, stored))
    return found


async def _load_set(connection: AsyncConnection, team_id: str, slug: str) -> CriteriaSet | None:
    """Return a workspace's set; without grades if only another version can read it."""
    grades = (await connection.execute(select(_c.c.grades).where(_is_set(team_id, slug)))).scalar()
    if grades is None:
        return None
    return readable_sets({slug: grades}).get(slug) or CriteriaSet(slug=slug, grades=())


def _is_set(team_id: str, slug: str) -> ColumnElement[bool]:
    return (_c.c.team_id == team_id) & (_c.c.slug == slug)


async def _load_numbered_uses(connection: AsyncConnection, team_id: str) -> dict[str, list[SetUse]]:
    """Return the uses of a workspace's sets by name; subscriptions of older versions get their numbers."""
    found = await _load_uses(connection, team_id)
    if found is None:
        nameless = select(_s.c.channel_id).where(_s.c.team_id == team_id, _s.c.number.is_(None)).distinct()
        for channel_id in (await connection.execute(nameless)).scalars().all():
            await assign_missing_subscription_numbers(connection, (team_id, channel_id))
        found = await _load_uses(connection, team_id)
    assert found is not None, "each has a number now"
    return found


async def _load_uses(connection: AsyncConnection, team_id: str) -> dict[str, list[SetUse]] | None:
    """Return the uses of a workspace's sets by name; None if a subscription has no number yet."""
    query = select(_s).where(_s.c.team_id == team_id).order_by(_s.c.channel_id, _s.c.number, _s.c.id)
    found: defaultdict[str, list[SetUse]] = defaultdict(list)
    for row in (await connection.execute(query)).all():
        criteria = _readable_criteria(row.words)
        if criteria is None or not criteria.used_sets:
            continue
        if row.number is None:
            return None
        for slug in criteria.used_sets:
            own = tuple(condition for condition in criteria.grade_conditions if condition.slug == slug)
            use = SetUse(
                channel_id=row.channel_id,
                number=row.number,
                is_confirmed=row.confirmed_at is not None,
                grades=tuple(dict.fromkeys(one.grade for one in own if one.grade is not None)),
                conditions=own,
            )
            found[slug].append(use)
    return dict(found)


def _readable_criteria(words: str) -> Criteria | None:
    """Return criteria that may name a set; None for others, and for those of another version."""
    if not may_name_sets(words):
        return None
    try:
        return parse_stored_criteria(words)
    except FilterSyntaxError:
        return None


async def _record(
    connection: AsyncConnection,
    team_id: str,
    by: ChangeAuthor,
    before: CriteriaSet | None,
    after: CriteriaSet | None,
    uses: Iterable[SetUse],
    channel_id: str | None,
) -> ChangedSet:
    """Record the change in each channel that uses the set, and plan the posts; keep it where it was made."""
    record = ChangeRecord(
        before=None if before is None else criteria_set_state(before),
        after=None if after is None else criteria_set_state(after),
    )
    notified_channels = tuple(dict.fromkeys(use.channel_id for use in uses if use.is_confirmed))
    await record_change_in_channels(connection, team_id, notified_channels, by, record)
    if channel_id is not None and channel_id not in notified_channels:
        await record_changes(connection, (team_id, channel_id), by, [record], announce=False)
    return ChangedSet(before=before, after=after, notified_channels=notified_channels)
