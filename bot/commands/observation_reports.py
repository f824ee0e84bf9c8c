"""Puts into the store what people of a channel report with `observe`: from its words or its dialog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.observation_plans import ObservationPlans
from bot.commands.observation_stores import FieldsOfOthers, ObservationStores, shared_fields
from bot.commands.observation_values import (
    Report,
    as_observation,
    check_time,
    chosen_numbers,
    complete_report,
    done_fields,
    footprint_notes,
    is_without_fields,
    merger_time,
    name_notes,
    refuse_retracted,
    thread_notes,
    typed_name,
    which_fields,
)
from bot.commands.observe_targets import Target, channel_targets, known_names
from bot.commands.observe_words import EXAMPLES, ObserveWords, Verb, parse_observe_words
from bot.commands.plan_words import parse_plan_words
from bot.runtime.wakeups import Wakeups
from bot.skymap_service.pointings import PointingService
from bot.store.channels.observations import MAX_OBSERVATIONS, TooManyObservations
from formatters.answers import observe as answers
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.coverage import SharedFields
from formatters.models.observation import (
    NewObservation,
    Observation,
    ObservationStatus,
)
from formatters.models.observing import ChannelSites
from formatters.models.superevent import Superevent
from formatters.text import night_times, quantities

PLAN_WITHOUT_FIELDS = "an observation, fields not said"

log = structlog.get_logger(__name__)


class ObservationReports:
    """Stores what is reported, and says in words what was. Methods raise CommandError, StoreUnavailable."""

    def __init__(
        self,
        stores: ObservationStores,
        pointings: PointingService,
        others: FieldsOfOthers,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
    ) -> None:
        self._stores = stores
        self._plans = ObservationPlans(stores.observations, pointings, others)
        self._others = others
        self._clock = clock
        self._wakeups = wakeups

    async def report(self, superevent: Superevent, report: Report, context: CommandContext) -> Message:
        """Store what the words after `observe` report, or a sentence; return the answer."""
        text = complete_report(superevent, report)
        now = self._clock()
        own = await self._stores.sites.for_channel(*context.channel)
        # In a thread: names are compared with all that are known, and 500 lines take a while.
        words = await asyncio.to_thread(parse_observe_words, text, own, self._stores.instruments, now)
        if words.is_myself:
            return await self._report_myself(superevent, words, context, now)
        words = await self._with_target(superevent, words, own, context)
        assert words.target is not None, "a report without an instrument is asked about"
        new = NewObservation(
            team_id=context.team_id,
            channel_id=context.channel_id,
            superevent_id=superevent.superevent_id,
            instrument=words.target.name,
            user_id=context.user_id,
            footprint=words.target.footprint,
            band=words.values.band,
            depth=words.values.depth,
            observed_at=words.observed_at,
            note=words.note,
        )
        if is_without_fields(words, report):
            plan = await self._stores.observations.whole_plan(
                *context.channel, superevent.superevent_id, new.instrument
            )
            raise which_fields(new, plain_text(typed_name(words.target), 60), plan)
        try:
            message = await self._store(superevent, words, new, own, now)
        except TooManyObservations:
            raise CommandError(
                f"This channel has {MAX_OBSERVATIONS} observations of {superevent.superevent_id}, and gwevent"
                " keeps no more."
            ) from None
        self._wakeups.deliveries.set()
        return message

    async def _store(
        self,
        superevent: Superevent,
        words: ObserveWords,
        new: NewObservation,
        own: ChannelSites,
        now: datetime,
    ) -> Message:
        match words.verb:
            case Verb.CANCEL:
                return await self._cancel(superevent, new, now)
            case Verb.UNDO:
                return await self._undo(superevent, new, now)
            case Verb.OBSERVING:
                return await self._observing(superevent, words, new, now)
            case Verb.PLAN:
                return await self._plans.report(superevent, words, new, own, now)
        return await self._done(superevent, words, new, now)

    async def _with_target(
        self, superevent: Superevent, words: ObserveWords, own: ChannelSites, context: CommandContext
    ) -> ObserveWords:
        """Return the words with the only instrument that can be meant where none is named."""
        if words.target is not None:
            return words
        at_sites = await asyncio.to_thread(channel_targets, own, self._stores.instruments)
        if words.verb is Verb.PLAN:
            possible = [one for one in at_sites if one.telescope is not None]
            # `plan` knows a site by more names.
            named = await asyncio.to_thread(parse_plan_words, words.plan_words, own.sites)
            if named.site is not None:
                possible = [one for one in possible if one.site == named.site]
        else:
            found = await self._stores.observations.for_event(*context.channel, superevent.superevent_id)
            meant = ObservationStatus.DONE if words.verb is Verb.UNDO else ObservationStatus.PLANNED
            planned = dict.fromkeys(one.instrument for one in found if one.status is meant)
            possible = [Target(name=name) for name in planned] or list(at_sites)
            by_name = {one.name: one for one in at_sites}
            possible = [by_name.get(one.name, one) for one in possible]
        if len(possible) == 1:
            return replace(words, target=possible[0])
        names = " or ".join(one.name for one in possible[:5]) or known_names(own, self._stores.instruments)
        raise CommandError(f"Which telescope: {plain_text(names, 120)}? For example: {EXAMPLES}.")

    async def _report_myself(
        self, superevent: Superevent, words: ObserveWords, context: CommandContext, now: datetime
    ) -> Message:
        observes = words.verb is not Verb.CANCEL
        changed = await self._stores.observers.set_observing(
            context.team_id,
            context.channel_id,
            superevent.superevent_id,
            context.user_id,
            now,
            observes=observes,
        )
        if changed is None:
            raise CommandError(
                f"{superevent.superevent_id} has no message in this channel that could name you."
            )
        self._wakeups.deliveries.set()
        log.info("observer_set", superevent_id=superevent.superevent_id, observes=observes)
        said = "you are named on its card as observing." if observes else "you aren't named on its card."
        already = () if changed else ("Nothing changed: it was so before.",)
        return answers.reported_message(answers.Reported(superevent=superevent, sentences=(said, *already)))

    async def _observing(
        self, superevent: Superevent, words: ObserveWords, new: NewObservation, now: datetime
    ) -> Message:
        refuse_retracted(superevent)
        for one in await self._stores.observations.for_event(new.team_id, new.channel_id, new.superevent_id):
            if one.instrument == new.instrument and one.status is ObservationStatus.PLANNED:
                said = f"{new.instrument} is on it already: planned, {answers.fields_words(one)}."
                return answers.reported_message(
                    answers.Reported(
                        superevent=superevent,
                        sentences=(said, "Nothing changed."),
                        next_words=f"observe {typed_name(words.target)} done {superevent.superevent_id}",
                    )
                )
        result = await self._stores.observations.plan(new, f"{new.instrument}: {PLAN_WITHOUT_FIELDS}", now)
        return answers.reported_message(
            answers.Reported(
                superevent=superevent,
                sentences=(f"{new.instrument} observes it.", "Nobody has said yet which fields."),
                notes=(
                    *name_notes(words.target),
                    *thread_notes(superevent, has_thread=result.has_thread),
                ),
                next_words=f"observe {typed_name(words.target)} plan {superevent.superevent_id}",
            )
        )

    async def _done(
        self, superevent: Superevent, words: ObserveWords, new: NewObservation, now: datetime
    ) -> Message:
        check_time(new.observed_at, superevent, now)
        notes: tuple[str, ...] = ()
        numbers: tuple[int, ...] = ()
        if words.fields is not None:
            reports, notes = done_fields(new, words.fields), words.fields.notes
            for field in (field for one in reports for field in one.fields):
                check_time(field.time, superevent, now)
        else:
            one, numbers, notes = await self._from_plan(words, new, now)
            reports = [one]
        of_when = "" if not numbers else await self._plan_time(new)
        merger = merger_time(superevent)
        sentences: list[str] = []
        shared: tuple[SharedFields, ...] = ()
        name, left, has_thread = new.instrument, 0, True
        for report in reports:
            detail = f"{report.instrument}: {answers.fields_words(as_observation(report, now))}"
            result = await self._stores.observations.done(report, detail, now)
            stored, left, has_thread = result.observation, result.left, result.has_thread
            name = stored.instrument
            when = answers.time_words(stored, merger)
            at = "" if when is None else f", {when}"
            if stored.fields:
                sentences.append(f"{name} has done {answers.fields_words(stored)}{at}.")
            else:
                sentences.append(f"{name} has observed it{answers.band_and_depth(stored)}{at}.")
                sentences.append("Nobody has said which fields.")
            if result.corrected is not None:
                before = night_times.utc_day_and_clock(result.corrected.changed_at)
                sentences.append(
                    f"This replaces the report of {before} about the same fields. Was it another visit? Then"
                    " add its time: at 03:20 UTC."
                )
            found, unknown = await shared_fields(self._others, stored, report)
            shared, notes = (*shared, *found), (*notes, *unknown)
        if numbers:
            this = "This is" if len(numbers) == 1 else "These are"
            sentences.append(f"{this} {answers.numbers_words(numbers)} of its plan{of_when}.")
        if left:
            sentences.append(f"{quantities.pluralize(left, 'field')} of its plan left.")
        return answers.reported_message(
            answers.Reported(
                superevent=superevent,
                sentences=tuple(sentences),
                shared=shared,
                notes=(
                    *notes,
                    *name_notes(words.target),
                    *footprint_notes(as_observation(reports[0], now)),
                    *thread_notes(superevent, has_thread=has_thread),
                ),
                next_words=f"coverage {superevent.superevent_id}",
            )
        )

    async def _plan_time(self, new: NewObservation) -> str:
        """Return when somebody else made the instrument's plan, as in " of 23 Nov 03:20 UTC, which …"."""
        place = (new.team_id, new.channel_id, new.superevent_id)
        plan = await self._stores.observations.whole_plan(*place, new.instrument)
        if plan is None or plan.user_id == new.user_id:
            return ""
        return f" of {night_times.utc_day_and_clock(plan.created_at)}, which somebody else made"

    async def _from_plan(
        self, words: ObserveWords, new: NewObservation, now: datetime
    ) -> tuple[NewObservation, tuple[int, ...], tuple[str, ...]]:
        """Return the report with the fields of the instrument's plan, their numbers, and notes about them."""
        place = (new.team_id, new.channel_id, new.superevent_id)
        plan = await self._stores.observations.whole_plan(*place, new.instrument)
        selection = words.values.selection
        if plan is None or not plan.fields:
            if selection is not None:
                raise CommandError(
                    f"{new.instrument} has no plan with fields in this channel, so nobody knows which ones"
                    " are meant: paste them, one on each line, or leave the number out."
                )
            return new, (), ("Without fields nothing can be said about its share of the map.",)
        left: set[int] = set(range(1, len(plan.fields) + 1))
        if selection is not None and selection.is_rest:
            found = await self._stores.observations.for_event(*place)
            open_fields = {field for one in found if one.id == plan.id for field in one.fields}
            left = {number for number in left if plan.fields[number - 1] in open_fields}
            if not left:
                raise CommandError(f"Nothing is left of the plan of {new.instrument}.")
        numbers = chosen_numbers(selection, len(plan.fields), left, new.instrument)
        fields = [plan.fields[number - 1] for number in numbers]
        is_over = all(one.time is not None and one.time <= now for one in fields)
        keeps_times = new.observed_at is None and is_over
        if not keeps_times:
            fields = [replace(one, time=None) for one in fields]
        note = "Their times are those of the plan; if they were observed at another, add it: at 03:20 UTC."
        if len(fields) == 1:
            note = "Its time is that of the plan; if it was observed at another, add it: at 03:20 UTC."
        if not keeps_times and new.observed_at is None:
            note = "Stored without times: not all of the plan's times are over. To add one: at 03:20 UTC."
        # The shape with which it was planned counts, also where the site has another one by now.
        footprint = plan.footprint or new.footprint
        changed = replace(new, fields=tuple(fields), footprint=footprint, band=new.band or plan.band)
        return changed, numbers, () if new.observed_at is not None else (note,)

    async def _undo(self, superevent: Superevent, new: NewObservation, now: datetime) -> Message:
        """Take back the instrument's newest report of what was done: it may belong to another event."""
        place = (new.team_id, new.channel_id, new.superevent_id)
        before = await self._stores.observations.for_event(*place)
        last = await self._stores.observations.last_done(*place, new.instrument)
        if last is None or not await self._stores.observations.undo(
            last, new, f"{last.instrument}: taken back, {answers.fields_words(last)}", now
        ):
            raise CommandError(
                f"Nothing is reported as done by {new.instrument} for {superevent.superevent_id} in this"
                " channel, so there is nothing to take back."
            )
        at = night_times.utc_day_and_clock(last.changed_at)
        sentences = [f"{last.instrument}'s report of {at} is taken back: {answers.fields_words(last)}."]
        sentences += _open_again(before, await self._stores.observations.for_event(*place), last.instrument)
        if last.user_id != new.user_id:
            sentences.append("Somebody else had reported it.")
        return answers.reported_message(
            answers.Reported(
                superevent=superevent,
                sentences=tuple(sentences),
                next_words=f"observe {superevent.superevent_id}",
            )
        )

    async def _cancel(self, superevent: Superevent, new: NewObservation, now: datetime) -> Message:
        reason = f": {new.note}" if new.note else ""
        cancelled = await self._stores.observations.cancel(new, f"{new.instrument}{reason}", now)
        if not cancelled:
            raise CommandError(
                f"{new.instrument} has nothing planned for {superevent.superevent_id} in this channel that"
                " could be cancelled; what is done stays, unless it is taken back:"
                f" observe {new.instrument} undo."
            )
        what = answers.fields_words(cancelled[-1])
        return answers.reported_message(
            answers.Reported(
                superevent=superevent,
                sentences=(
                    f"The plan of {cancelled[-1].instrument} is cancelled{reason} ({what}).",
                    "What was done stays.",
                ),
                next_words=f"observe {cancelled[-1].instrument} plan {superevent.superevent_id}",
            )
        )


def _open_again(before: Sequence[Observation], after: Sequence[Observation], instrument: str) -> list[str]:
    """Return what taking back a report changed of the instrument's plan: none for fields done twice.

    `before` and `after` are the event's observations, plans without what is done.
    """
    left = {one.id: len(one.fields) for one in before}
    sentences = []
    for one in after:
        if one.status is ObservationStatus.DONE or one.instrument.casefold() != instrument.casefold():
            continue
        state = "cancelled" if one.status is ObservationStatus.CANCELLED else "planned"
        more = len(one.fields) - left.get(one.id, 0)
        if more:
            verb = "counts" if more == 1 else "count"
            sentences.append(f"{quantities.pluralize(more, 'field')} of its plan {verb} as {state} again.")
        elif one.id not in left:
            sentences.append(f"Its plan counts as {state} again.")
    return sentences
