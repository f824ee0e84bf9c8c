"""Drills of subscriptions: begin, stop, and "I have it". Each answers the person alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from bot.commands.authorization import ChannelAuthorizer
from bot.commands.context import CommandContext
from bot.commands.errors import store_unavailable
from bot.runtime.wakeups import Wakeups
from bot.store.channels.drills import DrillOutcome, DrillRepository, DrillResult
from bot.store.database import StoreUnavailable
from formatters.answers import drill_answers
from formatters.blockkit.message import Message

log = structlog.get_logger(__name__)


class DrillService:
    """Begins and stops drills for whoever may change the channel's subscriptions; anybody may take one."""

    def __init__(
        self,
        drills: DrillRepository,
        authorizer: ChannelAuthorizer,
        wakeups: Wakeups,
        clock: Callable[[], datetime],
    ) -> None:
        self._drills = drills
        self._authorizer = authorizer
        self._wakeups = wakeups
        self._clock = clock

    async def begin(self, context: CommandContext, number: int) -> Message:
        """Begin the drill of a subscription that is active. Raises PermissionDenied, StoreUnavailable."""
        author = await self._authorizer.authorize(context)
        done = await self._drills.begin(author.channel, number, author.user_id, self._clock())
        self._notify(context, done)
        if done.drill is None:
            has_event = done.outcome is DrillOutcome.AWAITED
            return drill_answers.event_waits() if has_event else drill_answers.no_rule(number)
        is_new = done.outcome is DrillOutcome.BEGUN
        return drill_answers.begun(done.drill) if is_new else drill_answers.running(done.drill)

    async def stop(self, context: CommandContext) -> Message:
        """Stop the channel's drill. Raises PermissionDenied, StoreUnavailable."""
        author = await self._authorizer.authorize(context)
        done = await self._drills.stop(author.channel, author.user_id, self._clock())
        self._notify(context, done)
        return drill_answers.none_running() if done.drill is None else drill_answers.stopped(done.drill)

    async def acknowledge(self, asker: CommandContext, drill_id: int) -> Message:
        """Take a drill, which ends it."""
        try:
            done = await self._drills.acknowledge(asker.channel, drill_id, asker.user_id, self._clock())
        except StoreUnavailable:
            return store_unavailable()
        self._notify(asker, done)
        if done.drill is None:
            return drill_answers.unknown()
        is_taken = done.outcome is DrillOutcome.TAKEN
        return drill_answers.taken(done.drill) if is_taken else drill_answers.over(done.drill)

    def _notify(self, context: CommandContext, done: DrillResult) -> None:
        """Wake whoever carries it on, and log it."""
        self._wakeups.escalations.set()
        self._wakeups.intents_planned()
        log.info(
            "drill_changed",
            channel=context.channel_id,
            outcome=done.outcome.name.casefold(),
            drill=None if done.drill is None else done.drill.report.id,
        )
