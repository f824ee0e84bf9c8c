"""`/gwevent candidates [EVENT] [add|keep|reject|remove|export …]`: an event's counterpart candidates."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from datetime import datetime

from bot.commands.authorization import AuthorizedContext, ChannelAuthorizer
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.position_query import parse_query
from bot.counterparts.host_distance import PECULIAR_VELOCITY_KM_S, host_distance
from bot.counterparts.merging import MERGE_RADIUS_ARCSEC, candidate_keys, match_names
from bot.counterparts.names import NAME_MAX, display_name, name_from_position, normalize_name, split_names
from bot.runtime.threads import run_in_thread
from bot.runtime.typed_text import normalize_typed_text
from bot.runtime.wakeups import Wakeups
from bot.skymap_service.counterparts import CounterpartService
from bot.skymap_service.observability import ObservabilityService
from bot.skymaps.coordinates import EXAMPLE_POSITION
from bot.skymaps.crossmatch import COSMOLOGY
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.sites import SiteRepository
from bot.store.events.counterparts import (
    MAX_ADDED,
    CounterpartRepository,
    NotTheirCandidate,
    TooManyCandidates,
)
from formatters.answers import candidates as answers
from formatters.answers import candidates_table
from formatters.answers.event_details import MAX_CODE_CHARS
from formatters.answers.position_check import SkyPosition
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.counterpart import Counterpart, Decision
from formatters.models.related_message import ReportedPosition
from formatters.models.superevent import Superevent

ADD_EXAMPLE = f"candidates add AT2026abc {EXAMPLE_POSITION} z=0.0098"
CANDIDATES_NEED_CHANNEL = "Candidates of one's own belong to a channel: type this in Slack."

_VERBS = {
    **dict.fromkeys(("show", "list", "all"), "show"),
    **dict.fromkeys(("add", "new", "edit", "change"), "add"),
    **dict.fromkeys(("keep", "accept", "like"), "keep"),
    **dict.fromkeys(("reject", "discard", "exclude", "dismiss"), "reject"),
    **dict.fromkeys(("remove", "delete"), "remove"),
    **dict.fromkeys(("export", "csv", "download"), "export"),
}
"""The words after `candidates`, and what each does."""
_CHANGING = ("add", "keep", "reject", "remove")
_FORMATS = frozenset(("csv", "table", "as"))
_SEVERAL = re.compile(r"\s*[\n,;]\s*|\s+and\s+", re.IGNORECASE)


class CandidatesCommand:
    """Answers `candidates`."""

    def __init__(
        self,
        service: CounterpartService,
        counterparts: CounterpartRepository,
        observability: ObservabilityService,
        sites: SiteRepository,
        authorizer: ChannelAuthorizer,
        wakeups: Wakeups,
        clock: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._counterparts = counterparts
        self._observability = observability
        self._sites = sites
        self._authorizer = authorizer
        self._wakeups = wakeups
        self._clock = clock

    async def answer(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Make the change that is asked for, if any, and return the event's candidates.

        Raises CommandError, PermissionDenied, StoreUnavailable.
        """
        verb, rest = read_verb(arguments)
        match verb:
            case "show":
                return await self._list(superevent, context)
            case "export":
                return await self._export(superevent, rest, context)
        if context is None:
            raise CommandError(CANDIDATES_NEED_CHANNEL)
        author = await self._authorizer.authorize(context)
        match verb:
            case "add":
                return await self._add(superevent, rest, author)
            case "remove":
                return await self._remove(superevent, rest, author)
        return await self._decide(superevent, rest, Decision(verb), author)

    async def _add(self, superevent: Superevent, text: str, author: AuthorizedContext) -> Message:
        if not text:
            raise CommandError(f"Which one? Name and position, one on each line: {ADD_EXAMPLE}.")
        # In a thread: a redshift imports a module that takes a second to load.
        query = await run_in_thread(parse_query, text)
        new = [(_checked_name(target), _position(target)) for target in query.targets]
        try:
            has_thread = await self._counterparts.add(
                author.channel, superevent.superevent_id, new, self._by(author)
            )
        except TooManyCandidates:
            raise CommandError(_too_many(superevent)) from None
        names = _listed([name for name, _ in new])
        return await self._changed(superevent, f"{names} added.", author, has_thread, query.omitted)

    async def _decide(
        self, superevent: Superevent, text: str, decision: Decision, author: AuthorizedContext
    ) -> Message:
        if not text:
            raise CommandError(f"Which one? For example: candidates {decision} AT2026abc.")
        known = await self._service.candidates(superevent, *author.channel)
        chosen = {one.name: one for one in _find(text, known, superevent)}
        has_thread = False
        for name in chosen:
            try:
                has_thread = await self._counterparts.decide(
                    author.channel, superevent.superevent_id, name, decision, self._by(author)
                )
            except TooManyCandidates:
                raise CommandError(_too_many(superevent)) from None
        done = "kept" if decision is Decision.KEEP else "rejected"
        return await self._changed(superevent, f"{_listed(list(chosen))} {done}.", author, has_thread)

    async def _remove(self, superevent: Superevent, text: str, author: AuthorizedContext) -> Message:
        name = display_name(normalize_typed_text(text))
        if not name:
            raise CommandError("Which one? For example: candidates remove AT2026abc.")
        shown = plain_text(name, NAME_MAX)
        try:
            has_thread = await self._counterparts.remove(
                author.channel, superevent.superevent_id, name, self._by(author)
            )
        except NotTheirCandidate:
            raise CommandError(
                f"Somebody else of this channel added {shown}; to mark it: candidates reject {shown}."
            ) from None
        except TooManyCandidates:
            raise CommandError(_too_many(superevent)) from None
        except LookupError:
            known = await self._service.candidates(superevent, *author.channel)
            found = _find(text, known, superevent)[0]
            label = plain_text(next((one.label for one in found.sources if one.label), ""), NAME_MAX)
            raise CommandError(
                f"{plain_text(found.name, NAME_MAX)} comes from {label or 'another report'}, and only what"
                f" you added yourself can be removed; to mark it: candidates reject {shown}."
            ) from None
        return await self._changed(superevent, f"{shown} removed.", author, has_thread)

    async def _changed(
        self,
        superevent: Superevent,
        outcome: str,
        author: AuthorizedContext,
        has_thread: bool,
        notes: Sequence[str] = (),
    ) -> Message:
        self._wakeups.deliveries.set()
        if has_thread:
            outcome += " The Follow-up reply in this channel's thread shows it."
        elif not author.is_direct_message:
            outcome += (
                f" This channel has no thread of {superevent.superevent_id}: who asks here for its candidates"
                " sees it."
            )
        return await self._list(superevent, author, outcome, notes)

    async def _list(
        self,
        superevent: Superevent,
        context: CommandContext | None,
        outcome: str | None = None,
        notes: Sequence[str] = (),
    ) -> Message:
        found = await self._candidates(superevent, context)
        rows = await run_in_thread(_rows, found)
        newest = await self._service.newest_map(superevent)
        has_sites = False
        if context is not None:
            own = await self._sites.for_channel(*context.channel)
            has_sites = bool(own.sites)
            if has_sites and not superevent.is_retracted:
                some = rows[: answers.MAX_ROWS]
                windows = await self._observability.windows(
                    [(one.candidate.position.ra, one.candidate.position.dec) for one in some],
                    own.sites,
                    own.constraints,
                    self._clock(),
                )
                windowed = [
                    answers.CandidateRow(candidate=one.candidate, host=one.host, window=window)
                    for one, window in zip(some, windows, strict=True)
                ]
                rows = [*windowed, *rows[len(some) :]]
        return answers.message(
            answers.CandidateList(
                superevent=superevent,
                rows=rows,
                map_notice=None if newest is None else newest.notice,
                is_combined=newest is not None and newest.is_combined,
                change=await self._service.region_change(superevent, found),
                has_sites=has_sites and not superevent.is_retracted,
                outcome=outcome,
                notes=notes,
                cosmology=COSMOLOGY,
                peculiar_velocity=PECULIAR_VELOCITY_KM_S,
                merge_radius=MERGE_RADIUS_ARCSEC,
            )
        )

    async def _export(self, superevent: Superevent, text: str, context: CommandContext | None) -> Message:
        others = [word for word in text.casefold().split() if word not in _FORMATS]
        if others:
            raise CommandError(f'"{others[0][:40]}": candidates are exported as csv: candidates export csv.')
        rows = await run_in_thread(_rows, await self._candidates(superevent, context))
        # A terminal has no limit of characters.
        return candidates_table.message(superevent, rows, None if context is None else MAX_CODE_CHARS)

    async def _candidates(
        self, superevent: Superevent, context: CommandContext | None
    ) -> tuple[Counterpart, ...]:
        if context is None:
            return await self._service.common_candidates(superevent)
        return await self._service.candidates(superevent, *context.channel)

    def _by(self, author: AuthorizedContext) -> ChangeAuthor:
        return ChangeAuthor(author.user_id, self._clock())


def read_verb(arguments: str) -> tuple[str, str]:
    """Split what stands after `candidates` into what is to be done and the rest. Raises CommandError."""
    word, *rest = normalize_typed_text(arguments).split(maxsplit=1) or [""]
    if not word:
        return "show", ""
    verb = _VERBS.get(word.casefold().strip(",:;"))
    if verb is None:
        near = difflib.get_close_matches(word.casefold(), _VERBS, n=1, cutoff=0.7)
        meant = f" Did you mean candidates {near[0]}?" if near else ""
        raise CommandError(
            f'"candidates {word[:40]}" is nothing I know.{meant} There are: candidates, {ADD_EXAMPLE},'
            " candidates keep NAME, candidates reject NAME, candidates remove NAME, candidates export csv."
        )
    return verb, "".join(rest).strip()


def changes_candidates(arguments: str) -> bool:
    """Return whether the words after `candidates` change something."""
    try:
        return read_verb(arguments)[0] in _CHANGING
    except CommandError:
        return False


def _find(text: str, known: Sequence[Counterpart], superevent: Superevent) -> list[Counterpart]:
    """Return the candidates that are named, the whole text as one name first. Raises CommandError."""
    whole = match_names(text, known)
    if len(whole) == 1:
        return whole
    found = []
    for name in [part for part in _SEVERAL.split(text) if part] or [text]:
        matches = match_names(name, known)
        if len(matches) != 1:
            raise CommandError(_unclear(name, matches, known, superevent))
        found.extend(matches)
    return found


def _unclear(
    name: str, matches: Sequence[Counterpart], known: Sequence[Counterpart], superevent: Superevent
) -> str:
    shown = plain_text(name, NAME_MAX)
    if matches:
        return f"“{shown}” is a name of several candidates: which of {_listed([m.name for m in matches])}?"
    if not known:
        return (
            f"{superevent.superevent_id} has no counterpart candidates here yet; to add one: {ADD_EXAMPLE}."
        )
    names = {key: one.name for one in known for key in candidate_keys(one)}
    wanted = normalize_name(name)
    near = difflib.get_close_matches(wanted, list(names)[:_COMPARED_MAX], n=3, cutoff=0.6)
    meant = f" Did you mean {_listed(list(dict.fromkeys(names[key] for key in near)))}?" if near else ""
    return f"No candidate of {superevent.superevent_id} is called “{shown}”.{meant}"


_COMPARED_MAX = 1_000
"""Names among which similar ones are looked for."""


def _checked_name(target: SkyPosition) -> str:
    """Return the name under which a candidate is added, by default one from its position."""
    if len(target.name) > NAME_MAX:
        raise CommandError(f"A candidate's name has at most {NAME_MAX} characters.")
    name = display_name(target.name)
    return name if split_names(name) else name_from_position(target.ra, target.dec)


def _position(target: SkyPosition) -> ReportedPosition:
    has_redshift = target.redshift is not None
    return ReportedPosition(
        ra=target.ra,
        dec=target.dec,
        redshift=target.redshift,
        distance=None if has_redshift else target.distance,
    )


def _rows(candidates: Sequence[Counterpart]) -> list[answers.CandidateRow]:
    return [answers.CandidateRow(candidate=one, host=host_distance(one.position)) for one in candidates]


def _listed(names: Sequence[str]) -> str:
    shown = [plain_text(name, NAME_MAX) for name in names[:5]]
    return ", ".join(shown) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _too_many(superevent: Superevent) -> str:
    return (
        f"A channel adds at most {MAX_ADDED} candidates to one event, and this would be more for"
        f" {superevent.superevent_id}; to make room: candidates remove NAME."
    )
