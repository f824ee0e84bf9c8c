"""Checks whether the operators' webhook is called where subscriptions have it as a step."""

from __future__ import annotations

from collections.abc import Mapping

from bot.setting_types.escalation_webhook import EscalationWebhookPolicy
from formatters.text.quantities import pluralize


def find_uncalled_steps(steps: Mapping[str, int], policy: EscalationWebhookPolicy) -> str | None:
    """Return one sentence if webhook steps come to nothing by what operators allow; None if none do.

    `steps` are the numbers of subscriptions with such a step, by workspace.
    """
    uncalled = sum(count for team_id, count in steps.items() if not policy.allows(team_id))
    if not uncalled:
        return None
    what = f"{pluralize(uncalled, 'subscription')} of {sum(steps.values())} with"
    why = "their workspaces may not call it" if policy.is_configured else "there is none"
    return f"{what} the operators' webhook as a step will not have it called: {why}"
