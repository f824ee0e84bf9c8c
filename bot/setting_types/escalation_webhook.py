"""The setting for which workspaces may have the operators' webhook as the last step of an escalation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import AfterValidator, SecretStr

from bot.setting_types.topics import split_list

OFF, ALL = "off", "all"

_TEAM = re.compile(r"[TE][A-Z0-9]{2,}")


def _check(value: str) -> str:
    words = split_list(value)
    folded = [word.casefold() for word in words]
    if not words or folded in ([OFF], [ALL]):
        return folded[0] if folded else ""
    if not all(_TEAM.fullmatch(word) for word in words):
        raise ValueError("it must be off, all, or ids of workspaces, like T0123456789")
    return ",".join(words)


EscalationWebhookSetting = Annotated[str, AfterValidator(_check)]
"""`off`, `all`, or ids of workspaces separated by commas; empty for the default."""


class EscalationSettings(Protocol):
    """The settings that decide who may let a subscription call the operators' webhook."""

    @property
    def escalation_webhook(self) -> str:
        """`EscalationWebhookSetting`."""

    @property
    def slack_client_id(self) -> str | None:
        """The client id of the Slack app, which is set where any workspace may install it."""

    @property
    def webhook_url(self) -> SecretStr | None:
        """The operators' webhook; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationWebhookPolicy:
    """The rule for who may have the operators' webhook as the last step of an escalation, and whether there
    is one.
    """

    teams: Sequence[str] | None = None
    """Ids of the workspaces that may; None for all."""
    is_configured: bool = True
    """False if the deployment has no webhook."""

    def allows(self, team_id: str) -> bool:
        """Return True if a step of this workspace calls the webhook."""
        return self.is_configured and (self.teams is None or team_id in self.teams)

    def refusal(self, team_id: str) -> str | None:
        """Return why no step of this workspace calls the webhook, one sentence; None if one does."""
        if not self.is_configured:
            return "This gwevent has no operators' webhook to call."
        if not self.allows(team_id):
            return "The operators of this gwevent don't let this workspace call their webhook."
        return None


def escalation_webhook_policy(settings: EscalationSettings) -> EscalationWebhookPolicy:
    """Return the rule for who may let a subscription call the webhook.

    By default one workspace by its token may. Where any workspace may install the app none may, since a
    stranger's workspace must not page these operators.
    """
    chosen = settings.escalation_webhook or (ALL if settings.slack_client_id is None else OFF)
    teams = {ALL: None, OFF: ()}.get(chosen, tuple(chosen.split(",")))
    return EscalationWebhookPolicy(teams=teams, is_configured=settings.webhook_url is not None)
