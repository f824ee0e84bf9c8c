"""Composition of what carries escalations and drills: their worker, and what people do about drills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from bot.app.repositories import Repositories
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.drill import DrillCommand
from bot.commands.drill_service import DrillService
from bot.commands.subscription_service import SubscriptionService
from bot.delivery.escalation_worker import EscalationWorker
from bot.routing.escalation import StepAction
from bot.runtime.wakeups import Wakeups
from bot.setting_types.escalation_webhook import escalation_webhook_policy
from bot.settings import Settings


def create_drill_service(
    repositories: Repositories,
    clock: Callable[[], datetime],
    wakeups: Wakeups,
    authorizer: ChannelAuthorizer,
) -> DrillService:
    """Create the service that begins, stops and takes drills."""
    return DrillService(repositories.drills, authorizer, wakeups, clock)


def create_drill_command(
    repositories: Repositories,
    clock: Callable[[], datetime],
    wakeups: Wakeups,
    authorizer: ChannelAuthorizer,
    subscriptions: SubscriptionService,
) -> DrillCommand:
    """Create `/gwevent subscriptions drill`."""
    return DrillCommand(create_drill_service(repositories, clock, wakeups, authorizer), subscriptions)


def create_escalation_worker(
    repositories: Repositories,
    settings: Settings,
    clock: Callable[[], datetime],
    wakeups: Wakeups,
    *,
    on_decided: Callable[[Sequence[StepAction]], None],
    is_clock_trusted: Callable[[], bool],
) -> EscalationWorker:
    """Create the worker that takes the steps of escalations and drills when they are due."""
    return EscalationWorker(
        repositories.escalations,
        repositories.drills,
        clock,
        wakeups,
        can_call=escalation_webhook_policy(settings).allows,
        on_decided=on_decided,
        is_clock_trusted=is_clock_trusted,
    )
