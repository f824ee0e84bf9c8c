"""`/gwevent observe [SITE] [plan|done|cancel …] [EVENT]`: who points which telescope where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.observation_reports import ObservationReports
from bot.commands.observation_values import Report
from bot.commands.observe_sentences import read_typed_report
from bot.commands.sentence_reports import SentenceReport
from bot.store.channels.observations import ObservationRepository
from bot.store.channels.observers import ObserverRepository
from bot.store.channels.threads import ThreadRepository
from formatters.answers import observe as answers
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent

OBSERVE_NEEDS_CHANNEL = "Observations belong to a channel: type this in Slack."


class ObserveCommand:
    """Answers `observe`."""

    def __init__(
        self,
        reports: ObservationReports,
        observations: ObservationRepository,
        observers: ObserverRepository,
        threads: ThreadRepository,
        clock: Callable[[], datetime],
    ) -> None:
        self._reports = reports
        self._observations = observations
        self._observers = observers
        self._threads = threads
        self._clock = clock

    async def list(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Return what this channel's people reported of an event. Raises CommandError, StoreUnavailable."""
        if context is None:
            raise CommandError(OBSERVE_NEEDS_CHANNEL)
        name = superevent.superevent_id
        thread = await self._threads.thread_of_event(*context.channel, name)
        observers: tuple[str, ...] = ()
        if thread is not None:
            observers = (await self._observers.for_threads([thread.thread_id])).get(thread.thread_id, ())
        return answers.list_message(
            answers.ObservationList(
                superevent=superevent,
                observations=await self._observations.for_event(*context.channel, name),
                observers=observers,
                asked_at=self._clock(),
            )
        )

    async def report(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Store what is reported, and return what was stored. Raises CommandError, StoreUnavailable."""
        return await self._report(superevent, read_typed_report(arguments), context)

    async def tell(
        self, superevent: Superevent, report: SentenceReport, context: CommandContext | None
    ) -> Message:
        """Do the same with what a sentence tells."""
        return await self._report(superevent, report, context)

    async def _report(
        self, superevent: Superevent, report: Report, context: CommandContext | None
    ) -> Message:
        if context is None:
            raise CommandError(OBSERVE_NEEDS_CHANNEL)
        return await self._reports.report(superevent, report, context)
