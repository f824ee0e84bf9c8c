"""A recorded change of a channel's subscriptions or sites: author, time, and the states before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.blockkit.mrkdwn import SECTION_MAX, escape
from formatters.models.observing import ChannelSites
from formatters.models.subscription import Criteria

BY_IMPORT = "import"
"""Author of a change that the operator made by importing a file."""


BY_GWEVENT = "gwevent"
"""Author of a change that gwevent made itself, when it withdrew a subscription that it could not confirm."""


PAGE_SIZE = 10
"""Number of changes on one page of the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionState:
    """The state of one subscription before or after a change."""

    canonical: str
    """Canonical text of the criteria."""
    is_paused: bool
    criteria: Criteria | None
    """The parsed criteria; None if only another version of gwevent can parse the canonical text."""

    @property
    def mrkdwn(self) -> str:
        """The criteria as mrkdwn for a message to one person: it contains the real mentions."""
        return escape(self.canonical, SECTION_MAX) if self.criteria is None else self.criteria.mrkdwn

    @property
    def silent_mrkdwn(self) -> str:
        """The criteria as mrkdwn for a post in a channel: it notifies nobody."""
        return escape(self.canonical, SECTION_MAX) if self.criteria is None else self.criteria.silent_mrkdwn


RecordedState = SubscriptionState | ChannelSites


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChange:
    """A change of one subscription, or of the channel's sites and observing constraints."""

    number: int | None
    """Number of the subscription; None for a change of the sites or the observing constraints."""
    before: RecordedState | None
    """State before the change; None if the subscription was created."""
    after: RecordedState | None
    """State after the change; None if the subscription was ended."""
    changed_by: str
    """Slack user id of the author, BY_IMPORT or BY_GWEVENT."""
    changed_at: datetime
