"""The report of a drill: its steps, and when Slack and the webhook's service took what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from formatters.models.escalation import Posted
from formatters.models.escalation_report import EscalationReport


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """A drill as it stands."""

    report: EscalationReport
    posted: Mapping[int, Posted] = field(default_factory=dict)
    """The fate of the messages, by the store's id of the step."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Mentions in Slack's syntax that Slack refuses in the channel, each with Slack's error code."""
    called: Posted | None = None
    """The fate of the webhook's call; None if it wasn't called."""

    @property
    def is_closed(self) -> bool:
        """True if it is over: the last step may be taken, and still somebody be awaited."""
        return self.report.is_closed
