"""A change of what a channel receives: who made it, when, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.blockkit.mrkdwn import SECTION_MAX, escape
from formatters.models.observing import ChannelSites
from formatters.models.subscription import Criteria

BY_IMPORT = "import"
"""Who changed it, where the operator put a file in force."""


BY_GWEVENT = "gwevent"
"""Who changed it, where gwevent took back what it couldn't confirm."""


PAGE_SIZE = 10
"""Changes on one page of the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionState:
    """One subscription, as it was or is."""

    canonical: str
    """Canonical."""
    is_paused: bool
    criteria: Criteria | None
    """What the words mean; None where only another version of gwevent can read them."""

    @property
    def mrkdwn(self) -> str:
        """The words for a mrkdwn text that is one person's alone: it names whom they mention."""
        return escape(self.canonical, SECTION_MAX) if self.criteria is None else self.criteria.mrkdwn

    @property
    def silent_mrkdwn(self) -> str:
        """The words for a post, which wakes nobody whom they name."""
        return escape(self.canonical, SECTION_MAX) if self.criteria is None else self.criteria.silent_mrkdwn


RecordedState = SubscriptionState | ChannelSites


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChange:
    """One change of one subscription, or of the channel's sites."""

    number: int | None
    """The subscription's; None: the sites and when something counts as observable there."""
    before: RecordedState | None
    """None: there was no such subscription."""
    after: RecordedState | None
    """None: there is none any more."""
    changed_by: str
    """Slack's id of a person, or IMPORT, or ITSELF."""
    changed_at: datetime
