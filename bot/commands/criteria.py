"""`/gwevent criteria`: a workspace's rules with grades, what they say about an event, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bot.commands.channel_criteria import ChannelCriteriaSets
from bot.commands.context import CommandContext
from bot.commands.criteria_answers import answer_for
from bot.commands.criteria_names import find_sets, mentioned_sets
from bot.commands.criteria_service import CriteriaService, NoSuchSet
from bot.commands.errors import CommandError
from bot.commands.event_lookup import EventLookup
from bot.commands.visible import extract_event_id
from bot.skymap_service.grading import GradingService
from bot.store.events.search import PAGES, EventSearch
from formatters.answers import criteria, criteria_changes
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.criteria_set import CriteriaSet
from formatters.models.notice import Category
from formatters.models.superevent import Superevent
from formatters.views.criteria_modal import with_modal_buttons

_ANYWAY = "anyway"
_GRADE_WITH_FILTER = re.compile(r"(?<!\w)[^\W\d]\w*:\s*\S")
_NO_EVENT = "No event was received yet that criteria could judge."
_EXAMPLE = "criteria add ntt-kilonova Gold: NS distance<150; Silver: NS distance<300"


class CriteriaCommands:
    """Answers `criteria`: lists sets, judges them, changes them.

    All methods raise FilterSyntaxError with a sentence for the person, StoreUnavailable.
    """

    def __init__(
        self,
        service: CriteriaService,
        sets: ChannelCriteriaSets,
        grading: GradingService,
        events: EventLookup,
        event_search: EventSearch,
        clock: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._sets = sets
        self._grading = grading
        self._events = events
        self._event_search = event_search
        self._clock = clock

    async def list_sets(self, _arguments: str, context: CommandContext | None) -> Message:
        """Answer `criteria`: the workspace's sets and the built-in ones, and which this channel shows."""
        return await self._list(context)

    async def _list(self, context: CommandContext | None, said: str | None = None) -> Message:
        """Return the list of sets below a sentence, with buttons for the form where a workspace has one."""
        sets = (await self._sets.by_slug(context)).values()
        own = [one for one in sets if not one.is_built_in]
        listed = criteria.set_list(
            criteria.ListedSets(
                own=own,
                built_in=[one for one in sets if one.is_built_in],
                shown={one.slug for one in await self._sets.shown_in(context)},
                is_channel=context is not None,
            ),
            said,
        )
        return listed if context is None else with_modal_buttons(listed, own)

    async def show(self, arguments: str, context: CommandContext | None) -> Message:
        """Answer `criteria show [NAME …] [EVENT]`: one set is explained, several or the channel's are judged.

        The router adds the event that is meant where nobody names one. Raises NoSuchEvent.
        """
        superevent, words = await self._split_event(arguments)
        _refuse_change(words)
        sets = await self._sets.by_slug(context)
        return await self._answer(find_sets(words, sets), sets, superevent, context)

    async def answer_question(self, arguments: str, context: CommandContext | None) -> Message:
        """Answer a sentence such as "would rubin trigger", of which only the names of sets count.

        Raises NoSuchEvent.
        """
        superevent, words = await self._split_event(arguments)
        sets = await self._sets.by_slug(context)
        return await self._answer(mentioned_sets(words, sets), sets, superevent, context)

    async def change(self, arguments: str, context: CommandContext) -> Message:
        """Make the change of "add|edit|remove NAME …", and say what was changed. Raises PermissionDenied."""
        verb, name, text = (*arguments.split(maxsplit=2), "", "", "")[:3]
        if not name:
            raise CommandError(f"Which one? “criteria {verb}” needs a name, as in {_example(verb)}.")
        if name.endswith(":") and ":" not in text and verb == "add":
            raise CommandError(f"A criteria set needs a name before its grades, as in {_EXAMPLE}.")
        name, (text, anyway) = name.rstrip(":,;"), _split_insistence(text)
        match verb:
            case "add":
                return answer_for(await self._service.add(context, name, text, anyway=anyway))
            case "edit" if not text:
                return await self._how_to_edit(name, context)
            case "edit":
                return answer_for(await self._service.edit(context, name, text, anyway=anyway))
        # In "remove ntt kilonova" both words are the name; nothing follows it.
        return answer_for(await self._service.remove(context, f"{name} {text}".strip()))

    async def _how_to_edit(self, name: str, context: CommandContext) -> Message:
        found = await self._service.find(context.team_id, name)
        if isinstance(found, NoSuchSet) or found.is_built_in:
            return answer_for(await self._service.edit(context, name, ""))
        return with_modal_buttons(criteria_changes.how_to_edit(found), [found], with_new=False)

    async def _split_event(self, arguments: str) -> tuple[Superevent | None, str]:
        nonstandard_ids = await self._events.find_nonstandard_ids(arguments)
        superevent_id, words = extract_event_id(arguments, nonstandard_ids)
        return await self._events.get_named(superevent_id), words

    async def _answer(
        self,
        named: Sequence[CriteriaSet],
        sets: Mapping[str, CriteriaSet],
        superevent: Superevent | None,
        context: CommandContext | None,
    ) -> Message:
        chosen, note = list(named), ""
        if not chosen:
            chosen = list(await self._sets.shown_in(context))
        if not chosen:
            # The workspace's own come first: people wrote them to be asked.
            chosen = sorted(sets.values(), key=lambda one: one.is_built_in)
            if context is not None:
                note = "This channel's messages show no criteria; these are all that there are."
        if superevent is None:
            if len(chosen) == 1:
                return criteria.definition(chosen[0], _NO_EVENT)
            return await self._list(context, _NO_EVENT)
        if len(chosen) == 1:
            return await self._explain(chosen[0], superevent)
        judged = chosen[: criteria.MAX_JUDGED]
        return criteria.judged(
            superevent,
            [(one, await self._grading.explain(one, superevent)) for one in judged],
            self._clock(),
            further=[one.slug for one in chosen[criteria.MAX_JUDGED :]],
            note=note,
        )

    async def _explain(self, set_: CriteriaSet, superevent: Superevent) -> Message:
        explanation = await self._grading.explain(set_, superevent)
        newest = await self._newest_significant(criteria.MAX_PAST_EVENTS, besides=superevent)
        outcomes = await self._grading.grades_of_past(set_, newest)
        past = [
            criteria.PastGrade(superevent=one, outcome=outcome)
            for one, outcome in zip(newest, outcomes, strict=True)
        ]
        explained = criteria.explained(set_, superevent, explanation, past, self._clock())
        return with_modal_buttons(explained, [set_], with_new=False)

    async def _newest_significant(self, count: int, besides: Superevent) -> list[Superevent]:
        """Return the newest real, significant events that aren't retracted, without one that is known."""
        for page in (*PAGES[1:], None):
            known = await self._event_search.attributes([Category.REAL], limit=page)
            ids = [
                one.superevent_id
                for one in known
                if one.significant and not one.retracted and one.superevent_id != besides.superevent_id
            ]
            if len(ids) >= count or page is None or len(known) < page:
                break
        return await self._event_search.superevents(ids[:count])


def _refuse_change(words: str) -> None:
    """Raise CommandError for words that mean a change, where its verb doesn't stand first."""
    if _GRADE_WITH_FILTER.search(words):
        raise CommandError(
            f"A change begins with its verb: {_EXAMPLE}; or criteria edit ntt-kilonova Gold: NS."
        )
    *name, verb = words.casefold().split() or [""]
    if name and verb in ("add", "edit", "remove", "delete", "change"):
        raise CommandError(f"“{verb}” comes first: criteria {verb} {plain_text(' '.join(name), 40)}.")


def _example(verb: str) -> str:
    return {
        "add": _EXAMPLE,
        "edit": _EXAMPLE.replace("add", "edit", 1),
        "remove": "criteria remove ntt-kilonova",
    }[verb]


def _split_insistence(text: str) -> tuple[str, bool]:
    """Return the grades without "anyway" at their end, and whether it stood there. Line ends are kept."""
    kept = text.rstrip(" \t\n.!")
    before = kept[: -len(_ANYWAY)]
    if not kept.casefold().endswith(_ANYWAY) or (before and before[-1] not in " \t\n;,"):
        return text, False
    return before.rstrip(" \t\n;,"), True
