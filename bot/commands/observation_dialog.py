"""What the dialog of "I'm observing" offers, and what becomes of its inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from bot.commands.context import CommandContext
from bot.commands.observation_reports import ObservationReports
from bot.commands.observation_stores import ObservationStores
from bot.commands.observe_form import form_words, input_errors
from bot.commands.observe_targets import channel_targets
from formatters.answers import observe as answers
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.views.observe_modal import ObserveChoices, ObserveForm


class ObservationDialog:
    """Fills the dialog and takes its reports, by the words of the command."""

    def __init__(
        self, reports: ObservationReports, stores: ObservationStores, clock: Callable[[], datetime]
    ) -> None:
        self._reports = reports
        self._stores = stores
        self._clock = clock

    async def choices(self, superevent: Superevent, context: CommandContext) -> ObserveChoices:
        """Return what is to be chosen from. Raises StoreUnavailable.

        At first it is the telescope with which this person reported last, else the channel's only one.
        """
        own = await self._stores.sites.for_channel(*context.channel)
        instruments = self._stores.instruments
        names = [one.name for one in await asyncio.to_thread(channel_targets, own, instruments)]
        reported = await self._stores.observations.for_event(*context.channel, superevent.superevent_id)
        mine = [one.instrument for one in reported if one.user_id == context.user_id]
        here = [*names, *(one.instrument for one in reported)]
        return ObserveChoices(
            title=answers.event_name(superevent),
            own=list(dict.fromkeys(here)),
            others=[name for name in instruments.names if name not in here],
            chosen=mine[-1] if mine else names[0] if len(names) == 1 else None,
        )

    async def errors(self, form: ObserveForm, context: CommandContext) -> dict[str, str]:
        """Return the sentences about inputs that can't be read, by their names. Raises StoreUnavailable."""
        own = await self._stores.sites.for_channel(*context.channel)
        return await asyncio.to_thread(input_errors, form, own, self._stores.instruments, self._clock())

    async def report(self, superevent: Superevent, form: ObserveForm, context: CommandContext) -> Message:
        """Store what the inputs report, and return the answer. Raises CommandError, StoreUnavailable."""
        return await self._reports.report(superevent, form_words(form), context)
