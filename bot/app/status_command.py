"""Builds the command that says how gwevent is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from bot.app.repositories import Repositories
from bot.commands.status import StatusCommand, StatusRepositories
from bot.commands.webhook_steps import find_uncalled_steps
from bot.setting_types.escalation_webhook import EscalationWebhookPolicy
from bot.sources.base import SourceStatus


def create_status_command(
    repositories: Repositories,
    webhook_policy: EscalationWebhookPolicy,
    source_statuses: Callable[[], list[SourceStatus]] | None,
    clock: Callable[[], datetime],
) -> StatusCommand:
    """Create the command.

    `webhook_policy` says who may have the operators' webhook as a step; `source_statuses` returns the state
    of each source; None in a tool, which reads none.
    """
    return StatusCommand(
        StatusRepositories(
            notices=repositories.notices,
            subscriptions=repositories.subscriptions,
            outbox_statistics=repositories.outbox_statistics,
            incidents=repositories.incidents,
            treasure_map=repositories.treasure_map,
            source_heartbeats=repositories.source_heartbeats,
        ),
        source_statuses,
        clock,
        partial(find_uncalled_steps, policy=webhook_policy),
    )
