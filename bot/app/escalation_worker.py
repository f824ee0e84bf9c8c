"""Builds the worker that takes the steps of escalations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.factory import Factory
from bot.delivery.due_poller import FALLBACK_POLL_S
from bot.delivery.escalation_worker import EscalationWorker
from bot.runtime.wakeups import Wakeups
from bot.setting_types.escalation_webhook import escalation_webhook_policy
from bot.settings import Settings


def create_escalation_worker(
    settings: Settings, factory: Factory, clock: Callable[[], datetime], wakeups: Wakeups
) -> EscalationWorker:
    """Create the worker; the settings say which workspaces may have the operators' webhook called."""
    return EscalationWorker(
        factory.escalations,
        factory.drills,
        clock,
        wakeups,
        can_call=escalation_webhook_policy(settings).allows,
        poll_s=FALLBACK_POLL_S,
    )
