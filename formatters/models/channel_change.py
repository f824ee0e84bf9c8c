"""A recorded change of what a channel receives: author, time, and the states before and after."""

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


BY_ROLLBACK = "rollback"
"""Author of a change that the operator made by preparing the database for an older gwevent."""


BY_FORGETTING = "forget-person"
"""Author of a change that the operator made by having a person forgotten."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CriteriaSetState:
    """A criteria set of the workspace before or after a change, in a channel that uses it."""

    slug: str
    grades: tuple[tuple[str, str], ...]
    """Name and canonical filter of each grade, from the best down."""

    @property
    def canonical(self) -> str:
        """The grades as people type them: "Gold: NS distance<150; Silver: NS distance<300"."""
        return "; ".join(f"{name}: {text}" for name, text in self.grades)


RecordedState = SubscriptionState | ChannelSites | CriteriaSetState


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChange:
    """A change of a subscription, of a criteria set, or of the channel's sites and observing constraints."""

    number: int | None
    """Number of the subscription; None for a change of anything else."""
    before: RecordedState | None
    """State before the change; None if the subscription or the criteria set was created."""
    after: RecordedState | None
    """State after the change; None if the subscription was ended, or the criteria set removed."""
    changed_by: str
    """Slack user id of the author, BY_IMPORT, BY_GWEVENT, BY_ROLLBACK or BY_FORGETTING."""
    changed_at: datetime

    @property
    def criteria_set(self) -> str | None:
        """The name of the criteria set that changed; None for a change of anything else."""
        state = self.after or self.before
        return state.slug if isinstance(state, CriteriaSetState) else None

    @property
    def subject(self) -> int | str | None:
        """The subscription's number or criteria set's name that changed; None for sites and constraints."""
        return self.criteria_set if self.number is None else self.number
