"""Composition of what carries drills: the service that the command and the button share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.drill import DrillCommand
from bot.commands.drill_service import DrillService
from bot.commands.subscription_service import SubscriptionService
from bot.runtime.wakeups import Wakeups


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
