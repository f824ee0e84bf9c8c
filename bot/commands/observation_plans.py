"""Stores the plan of an instrument: of fields that were pasted, or as `plan` makes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from bot.commands.errors import CommandError
from bot.commands.observation_stores import FieldsOfOthers, shared_fields
from bot.commands.observation_values import (
    as_observation,
    footprint_notes,
    merger_time,
    name_notes,
    planned_fields,
    refuse_retracted,
    thread_notes,
    typed_name,
)
from bot.commands.observe_targets import Target
from bot.commands.observe_words import ObserveWords
from bot.commands.plan_request import read_plan_request
from bot.skymap_service.pointings import PlanTakesTooLong, PointingService
from bot.store.channels.observations import ObservationRepository
from formatters.answers import observe as answers
from formatters.answers import plan as plan_answers
from formatters.blockkit.message import Message
from formatters.models.event_plan import EventPlan
from formatters.models.observation import NewObservation, ObservedField
from formatters.models.observing import ChannelSites
from formatters.models.superevent import Superevent
from formatters.text import night_times, quantities

PLAN_MAX_AGE = timedelta(minutes=15)
"""The plan that the person saw is the one that counts, if it isn't older."""


class ObservationPlans:
    """Stores what instruments plan."""

    def __init__(
        self, observations: ObservationRepository, pointings: PointingService, others: FieldsOfOthers
    ) -> None:
        self._observations = observations
        self._pointings = pointings
        self._others = others

    async def report(
        self,
        superevent: Superevent,
        words: ObserveWords,
        new: NewObservation,
        own: ChannelSites,
        now: datetime,
    ) -> Message:
        """Store a plan, of pasted fields or made by gwevent, and return what it is.

        Raises CommandError, TooManyObservations, StoreUnavailable.
        """
        refuse_retracted(superevent)
        target = words.target
        assert target is not None, "a report without an instrument is asked about"
        made: EventPlan | None = None
        notes: tuple[str, ...] = ()
        if words.fields is not None:
            new, notes = planned_fields(new, words.fields), words.fields.notes
        else:
            made = await self._make_plan(superevent, words, target, own, now)
            if made.nothing is not None or not made.plan.pointings:
                return plan_answers.message(plan_answers.PlanAnswer(superevent=superevent, plan=made))
            fields = tuple(
                ObservedField(ra=one.ra % 360, dec=one.dec, time=one.start) for one in made.plan.pointings
            )
            new = replace(new, fields=fields, footprint=made.request.telescope.footprint)
        detail = f"{new.instrument}: {answers.fields_words(as_observation(new, now))}"
        result = await self._observations.plan(new, detail, now)
        stored = result.observation
        name = stored.instrument
        sentences = [f"{name} plans {answers.fields_words(stored)}."]
        if made is not None:
            hold = "It holds" if len(stored.fields) == 1 else "They hold"
            sentences.append(
                f"{hold} {quantities.percent(made.plan.covered)} of the probability, on"
                f" {plan_answers.map_words(superevent, made)}."
            )
            unread = plan_answers.unread_words(superevent, made)
            sentences += [] if unread is None else [unread]
        when = answers.time_words(stored, merger_time(superevent))
        if when is not None:
            sentences.append(f"Exposures begin {when}.")
        replaced = [one for one in result.replaced if one.fields]
        if replaced:
            since = night_times.utc_day_and_clock(replaced[-1].created_at)
            sentences.append(
                f"It takes the place of the plan of {since}, {answers.fields_words(replaced[-1])}."
            )
        shared, unknown = await shared_fields(self._others, stored, new)
        count = min(12, len(stored.fields))
        return answers.reported_message(
            answers.Reported(
                superevent=superevent,
                sentences=tuple(sentences),
                shared=shared,
                notes=(
                    *notes,
                    *name_notes(target),
                    *footprint_notes(stored),
                    *thread_notes(superevent, has_thread=result.has_thread),
                    *unknown,
                ),
                next_words=f"observe {typed_name(target)} done {count} r 21.5 {superevent.superevent_id}",
            )
        )

    async def _make_plan(
        self,
        superevent: Superevent,
        words: ObserveWords,
        target: Target,
        own: ChannelSites,
        now: datetime,
    ) -> EventPlan:
        if target.site is None:
            raise CommandError(
                f"{target.name} is at no site of this channel, so gwevent can't plan"
                f" {superevent.superevent_id} for it here: paste its fields, one on each line."
            )
        request, export = await asyncio.to_thread(
            read_plan_request, f"{target.site.name} {words.plan_words}", own
        )
        if export is not None:
            raise CommandError(f"A plan is exported by plan: plan {target.site.name} export {export}.")
        if superevent.latest_with_map is None:
            raise CommandError(
                f"{superevent.superevent_id} has no sky map to plan on: paste the fields, one on each line."
            )
        try:
            made = await self._pointings.plan(superevent, request, now, PLAN_MAX_AGE)
        except PlanTakesTooLong:
            raise CommandError(
                "That plan took too long and was given up; fewer fields take less time:"
                f" observe {target.name} plan 10."
            ) from None
        if made is None:
            raise CommandError(f"The sky map of {superevent.superevent_id} isn't kept any more.")
        return made
