"""Whether the operators' webhook is called where subscriptions have it as a step."""

from __future__ import annotations

from bot.setting_types.escalation_webhook import EscalationWebhookPolicy
from bot.store.channels.escalation_reports import EscalationReports
from formatters.text.quantities import pluralize


class WebhookSteps:
    """Compares the steps of all workspaces with what the operators allow by now."""

    def __init__(self, reports: EscalationReports, policy: EscalationWebhookPolicy) -> None:
        self._reports = reports
        self._policy = policy

    async def problem(self) -> str | None:
        """Return one sentence if steps come to nothing; None if there are none. Raises StoreUnavailable."""
        steps = await self._reports.count_webhook_steps()
        uncalled = sum(count for team_id, count in steps.items() if not self._policy.allows(team_id))
        if not uncalled:
            return None
        what = f"{pluralize(uncalled, 'subscription')} of {sum(steps.values())} with"
        why = "their workspaces may not call it"
        if not self._policy.is_configured:
            why = "there is none"
        return f"{what} the operators' webhook as a step will not have it called: {why}"
