"""Criteria sets of workspaces: the one service that the text commands, the form and App Home call.

Whoever may change what the channel receives in which they ask may change the workspace's sets; every channel
that uses one hears of it, and of who did it. Each change is authorized first, and wakes the delivery worker
afterwards. Outcomes are typed.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.commands.authorization import AuthorizedContext, ChannelAuthorizer
from bot.commands.channel_sites import ChannelSiteResolvers
from bot.commands.context import CommandContext
from bot.criteria.grade_satisfiability import find_grade_objections
from bot.criteria.parsing import parse_grades, parse_slug
from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import check_filter_references
from bot.filters import FilterSyntaxError
from bot.runtime.typed_text import normalize_typed_text
from bot.runtime.wakeups import Wakeups
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.criteria_sets import (
    CriteriaSetChanged,
    CriteriaSetExists,
    CriteriaSetInUse,
    CriteriaSetRepository,
    SetUse,
    StoredCriteriaSet,
    TooManyCriteriaSets,
)
from formatters.models.criteria_set import CriteriaSet

_NEAR = 0.6
"""Similarity (difflib's ratio) from which a name is offered for another."""


@dataclass(frozen=True, slots=True)
class Added:
    """The workspace has a new set."""

    set: CriteriaSet
    notified_channels: tuple[str, ...] = ()
    """Ids of channels that named it before it was there, and hear of it."""


@dataclass(frozen=True, slots=True)
class NameTaken:
    """A set has this name; nothing was changed."""

    set: CriteriaSet | None
    """The set that has it, which may be built in; None if only another version of gwevent can read it."""
    slug: str


@dataclass(frozen=True, slots=True)
class InvalidName:
    """A refusal: the words are no name for a set; nothing was changed."""

    sentence: str


@dataclass(frozen=True, slots=True)
class InvalidGrades:
    """The grades can't be understood; nothing was changed."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Some grade can hardly be given, and nobody insisted on it; nothing was changed."""

    set: CriteriaSet
    sentences: tuple[str, ...]
    """A sentence for each such grade; at least one."""


@dataclass(frozen=True, slots=True)
class TooManySets:
    """The workspace has as many sets as it may have; nothing was changed."""


@dataclass(frozen=True, slots=True)
class SetEdited:
    """A set has new grades."""

    before: CriteriaSet
    after: CriteriaSet
    notified_channels: tuple[str, ...]
    """Ids of the channels that use it, in which the change is posted."""


@dataclass(frozen=True, slots=True)
class SetUnchanged:
    """The edit asked for the grades that the set has."""

    set: CriteriaSet


@dataclass(frozen=True, slots=True)
class SetRemoved:
    """The set is gone."""

    set: CriteriaSet


@dataclass(frozen=True, slots=True)
class InUse:
    """Subscriptions name the set, or the grades that an edit would take away; nothing was changed."""

    slug: str
    uses: tuple[SetUse, ...]
    """The subscriptions, by channel and number; at least one."""
    grades: tuple[str, ...] = ()
    """The grades that they name and that would disappear; empty if the set was to be removed."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """The set is built in, so that nobody changes it; nothing was changed."""

    set: CriteriaSet


@dataclass(frozen=True, slots=True)
class NoSuchSet:
    """There is no set of this name; nothing was changed."""

    name: str
    """What was typed."""
    nearest: str | None
    """The set that may be meant."""
    known: tuple[str, ...]
    """The workspace's own sets, then the built-in ones."""


@dataclass(frozen=True, slots=True)
class SetOutOfDate:
    """The set isn't as it was when it was shown to the person; nothing was changed."""

    current: CriteriaSet


AddResult = Added | NameTaken | InvalidName | InvalidGrades | Doubtful | TooManySets
EditResult = SetEdited | SetUnchanged | InvalidGrades | Doubtful | InUse | BuiltIn | NoSuchSet | SetOutOfDate
RemoveResult = SetRemoved | InUse | BuiltIn | NoSuchSet | SetOutOfDate
CriteriaResult = AddResult | EditResult | RemoveResult


class CriteriaService:
    """Reads and changes the criteria sets of workspaces. All methods raise StoreUnavailable."""

    def __init__(
        self,
        sets: CriteriaSetRepository,
        authorizer: ChannelAuthorizer,
        wakeups: Wakeups,
        clock: Callable[[], datetime],
        sites: ChannelSiteResolvers,
    ) -> None:
        self._sets = sets
        self._authorizer = authorizer
        self._wakeups = wakeups
        self._clock = clock
        self._sites = sites

    async def for_team(self, team_id: str) -> list[StoredCriteriaSet]:
        """Return a workspace's own sets by name, with who made and changed them."""
        return await self._sets.for_team(team_id)

    async def sets_by_slug(self, team_id: str) -> Mapping[str, CriteriaSet]:
        """Return the built-in sets and the workspace's own, by name."""
        return await self._sets.sets_by_slug(team_id)

    async def shown_in(self, context: CommandContext) -> tuple[CriteriaSet, ...]:
        """Return the sets whose grades the channel's messages show."""
        return (await self._sets.for_channels([context.channel])).get(context.channel, ())

    async def uses(self, team_id: str) -> dict[str, list[SetUse]]:
        """Return the workspace's subscriptions that name a set, by its name."""
        return await self._sets.uses(team_id)

    async def find(self, team_id: str, name: str) -> CriteriaSet | NoSuchSet:
        """Return the set of this name, built in or the workspace's own."""
        sets = await self._sets.sets_by_slug(team_id)
        return sets.get(_slug(name)) or _no_such_set(name, sets)

    async def parse(self, context: CommandContext, slug: str, text: str) -> CriteriaSet:
        """Parse the grades of a set as they are typed in this channel. Raises FilterSyntaxError.

        In them `visible from` takes the channel's own sites too.
        """
        sites = await self._sites.for_text(context, text)
        return CriteriaSet(slug=slug, grades=await asyncio.to_thread(parse_grades, text, sites))

    async def add(self, context: CommandContext, name: str, text: str, *, anyway: bool = False) -> AddResult:
        """Add a set with these grades to the workspace. Raises PermissionDenied.

        Grades that can hardly be given are taken only `anyway`.
        """
        author = await self._authorizer.authorize(context)
        slug = _slug(name)
        known = (await self._sets.sets_by_slug(author.team_id)).get(slug)
        if known is not None:
            return NameTaken(known, slug)
        try:
            slug = parse_slug(slug)
        except FilterSyntaxError as error:
            return InvalidName(str(error))
        parsed = await self._check(author, slug, text, anyway=anyway)
        if not isinstance(parsed, CriteriaSet):
            return parsed
        try:
            changed = await self._sets.add(*author.channel, parsed, self._change_author(author))
        except CriteriaSetExists:
            return NameTaken((await self._sets.sets_by_slug(author.team_id)).get(slug), slug)
        except TooManyCriteriaSets:
            return TooManySets()
        self._wakeups.deliveries.set()
        return Added(parsed, changed.notified_channels)

    async def edit(
        self,
        context: CommandContext,
        name: str,
        text: str,
        *,
        anyway: bool = False,
        seen: str | None = None,
    ) -> EditResult:
        """Replace the grades of a workspace's set. Raises PermissionDenied.

        `seen` is the fingerprint of the set as it was shown to the person; one that was changed since isn't
        edited. Grades that can hardly be given are taken only `anyway`.
        """
        author = await self._authorizer.authorize(context)
        own = await self._find_own(author, name)
        if not isinstance(own, CriteriaSet):
            return own
        if seen is not None and own.fingerprint != seen:
            return SetOutOfDate(own)
        checked = await self._check(author, own.slug, text, anyway=anyway)
        if isinstance(checked, InvalidGrades):
            return checked
        # All doubts at once: whoever insists has read every one.
        parsed, doubts = (checked.set, checked.sentences) if isinstance(checked, Doubtful) else (checked, ())
        if not anyway:
            doubts += await self._find_senseless_conditions(author.team_id, parsed)
        if doubts:
            return Doubtful(parsed, doubts)
        try:
            changed = await self._sets.edit(*author.channel, parsed, self._change_author(author), seen)
        except CriteriaSetInUse as error:
            return InUse(own.slug, error.uses, error.grades)
        except CriteriaSetChanged as error:
            return SetOutOfDate(error.current)
        if changed is None or changed.before is None:
            return _no_such_set(name, await self._sets.sets_by_slug(author.team_id))
        if changed.before.canonical == parsed.canonical:
            return SetUnchanged(changed.before)
        self._wakeups.deliveries.set()
        return SetEdited(changed.before, parsed, changed.notified_channels)

    async def remove(self, context: CommandContext, name: str, *, seen: str | None = None) -> RemoveResult:
        """Remove a workspace's set that no subscription names. Raises PermissionDenied.

        `seen` is the fingerprint of the set as it was shown to the person.
        """
        author = await self._authorizer.authorize(context)
        own = await self._find_own(author, name)
        if isinstance(own, BuiltIn):
            return own
        # One that only another version of gwevent can read isn't found, and can be removed all the same.
        slug = own.slug if isinstance(own, CriteriaSet) else _slug(name)
        try:
            changed = await self._sets.remove(*author.channel, slug, self._change_author(author), seen)
        except CriteriaSetInUse as error:
            return InUse(slug, error.uses)
        except CriteriaSetChanged as error:
            return SetOutOfDate(error.current)
        if changed is None or changed.before is None:
            return _no_such_set(name, await self._sets.sets_by_slug(author.team_id))
        return SetRemoved(changed.before)

    async def _find_own(self, context: CommandContext, name: str) -> CriteriaSet | BuiltIn | NoSuchSet:
        found = await self.find(context.team_id, name)
        return BuiltIn(found) if isinstance(found, CriteriaSet) and found.is_built_in else found

    async def _check(
        self, context: CommandContext, slug: str, text: str, *, anyway: bool
    ) -> CriteriaSet | InvalidGrades | Doubtful:
        try:
            parsed = await self.parse(context, slug, text)
        except FilterSyntaxError as error:
            return InvalidGrades(str(error))
        doubts = () if anyway else await asyncio.to_thread(find_grade_objections, parsed)
        return Doubtful(parsed, doubts) if doubts else parsed

    async def _find_senseless_conditions(self, team_id: str, new: CriteriaSet) -> tuple[str, ...]:
        """Return a sentence for each condition that could never hold: "better than" the best grade."""
        found: dict[str, None] = {}
        for use in (await self._sets.uses(team_id)).get(new.slug, ()):
            for condition in use.conditions:
                if condition.grade is None or new.find_grade(condition.grade) is None:
                    continue  # A grade that would disappear is refused by the repository.
                try:
                    check_filter_references(condition, {new.slug: new})
                except FilterSyntaxError as error:
                    found[f'A subscription asks for "{condition.canonical}". {error}'] = None
        return tuple(found)

    def _change_author(self, author: AuthorizedContext) -> ChangeAuthor:
        return ChangeAuthor(author.user_id, self._clock())


def _slug(name: str) -> str:
    """Return the spelling of a set's name: "NTT_Kilonova" and "ntt kilonova" are "ntt-kilonova"."""
    return re.sub(r"[\s_-]+", "-", normalize_typed_text(name).strip().casefold()).strip("-")


def _no_such_set(name: str, sets: Mapping[str, CriteriaSet]) -> NoSuchSet:
    own: Sequence[str] = sorted(slug for slug, one in sets.items() if not one.is_built_in)
    built_in = [slug for slug in BUILT_IN if slug not in own]
    known = (*own, *built_in)
    near = difflib.get_close_matches(_slug(name)[:40], known, n=1, cutoff=_NEAR)
    return NoSuchSet(name, near[0] if near else None, known)
