"""The criteria of events for which the operators' webhook is called."""

from __future__ import annotations

from bot.criteria.operator_criteria import parse_operator_criteria
from bot.monitoring.webhook import create_webhook
from bot.settings import Settings
from formatters.models.subscription import Criteria


def webhook_criteria(settings: Settings) -> Criteria | None:
    """Return the criteria of the operators' webhook; None without one, or if it is for incidents only."""
    words = settings.webhook_filter
    return None if create_webhook(settings) is None or words is None else parse_operator_criteria(words)
