"""What a channel asks for: criteria, whom they mention, and the subscription that holds them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from formatters.blockkit.mrkdwn import SECTION_MAX, escape, target_label
from formatters.models.filter import Compare, Filter, Or

BROADCAST_WORDS = {"<!here>": "@here", "<!channel>": "@channel"}

NUMBER_WITH_FINGERPRINT = re.compile(r"#?(\d{1,18})(?:@([0-9a-f]{8}))?")
"""A subscription's number; in buttons also its `fingerprint` when they were shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionRule:
    """Whom a subscription mentions, and when."""

    targets: tuple[str, ...]
    """As Slack writes them: "<!here>", "<!channel>", "<@U…>", "<!subteam^S…>"; at least one."""
    mock: bool = False
    """For mocks too."""
    test: bool = False
    """For tests too."""
    only_ns: bool = False
    """Only where light may be expected (`significance.is_light_expected`): "if NS"."""
    condition: Filter | None = None
    """Only where this holds too; not together with `only_ns`."""

    @property
    def canonical(self) -> str:
        """The canonical words: "notify @here <@U024BE7LH> notify-mocks if NS"."""
        said = ["notify", *(BROADCAST_WORDS.get(target, target) for target in self.targets)]
        return " ".join([*said, *self._conditions])

    @property
    def mrkdwn(self) -> str:
        """The same for a mrkdwn text: people and groups by the names that Slack knows, no broadcast."""
        conditions = [escape(words, SECTION_MAX) for words in self._conditions]
        return " ".join(["notify", *map(target_label, self.targets), *conditions])

    @property
    def silent_mrkdwn(self) -> str:
        """The same for a mrkdwn text that wakes nobody: "notify @here, 2 people, 1 group if NS"."""
        conditions = [escape(words, SECTION_MAX) for words in self._conditions]
        return " ".join(["notify", self.silent_targets, *conditions])

    @property
    def silent_targets(self) -> str:
        """Whom it mentions, in a mrkdwn text that wakes nobody: Slack shows no name that doesn't."""
        said = [BROADCAST_WORDS[target] for target in self.targets if target in BROADCAST_WORDS]
        people = sum(target.startswith("<@") for target in self.targets)
        groups = len(self.targets) - len(said) - people
        if people:
            said.append("1 person" if people == 1 else f"{people} people")
        if groups:
            said.append(f"{groups} group{'s' if groups > 1 else ''}")
        return ", ".join(said)

    @property
    def _conditions(self) -> list[str]:
        asked = ((self.mock, "notify-mocks"), (self.test, "notify-tests"), (self.only_ns, "if NS"))
        said = [words for wanted, words in asked if wanted]
        if self.condition is not None:
            said.append(f"if {_condition_text(self.condition)}")
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What is asked for, before anybody asked: the words after `/gwevent subscribe`."""

    group: str = "all"
    """"CBC", "Burst" or "all" (any group, unknown ones too)."""
    mock: bool = False
    """Mock events too (they come every hour)."""
    test: bool = False
    """Test events too."""
    lowsig: bool = False
    """Low-significance alerts too."""
    circulars: bool = False
    """GCN Circulars that name an event, linked in its thread."""
    filter: Filter | None = None
    """What else a notice must say; None: nothing. A group of the whole filter stands in `group`."""
    notify: MentionRule | None = None
    """Whom they mention; None: nobody."""

    @property
    def canonical(self) -> str:
        """The canonical words, as one would type them: "CBC mock lowsig notify @here if NS"."""
        return (
            self.canonical_without_mentions
            if self.notify is None
            else f"{self.canonical_without_mentions} {self.notify.canonical}"
        )

    @property
    def mrkdwn(self) -> str:
        """The words for a mrkdwn text."""
        what = escape(self.canonical_without_mentions, SECTION_MAX)
        return what if self.notify is None else f"{what} {self.notify.mrkdwn}"

    @property
    def silent_mrkdwn(self) -> str:
        """The words for a mrkdwn text that wakes nobody whom they name."""
        what = escape(self.canonical_without_mentions, SECTION_MAX)
        return what if self.notify is None else f"{what} {self.notify.silent_mrkdwn}"

    @property
    def canonical_without_mentions(self) -> str:
        """The words without whom they mention: "CBC BNS distance<300 mock lowsig"."""
        switches = [word for word in ("mock", "test", "lowsig", "circulars") if getattr(self, word)]
        return " ".join([self.group_and_filter, *switches])

    @property
    def group_and_filter(self) -> str:
        """The words without the switches too: "CBC BNS distance<300"."""
        if self.filter is None:
            return self.group
        text = f"({self.filter.canonical})" if isinstance(self.filter, Or) else self.filter.canonical
        return f"{self.group} {text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMention:
    """A mention that Slack refuses in a channel, so that messages come without it."""

    target: str
    """As Slack writes it."""
    reason: str
    """Slack's word."""
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A wish of one channel."""

    id: int
    """The store's own, of all channels."""
    number: int
    """What people call it in its channel: 1, 2, 3 …, never given twice there."""
    team_id: str
    channel_id: str
    criteria: Criteria
    created_by: str
    """Slack's user id of who asked."""
    created_at: datetime
    delivery_problem: str | None = None
    """Why nothing can be delivered to the channel now, in Slack's word (`is_archived`); None if it can."""
    paused_at: datetime | None = None
    """Since when nothing comes, because somebody asked for that; None if it comes."""
    is_pending: bool = False
    """Whether it isn't in force yet, for its confirmation doesn't stand in the channel."""
    refused_mentions: tuple[RefusedMention, ...] = ()
    """Those of its mentions that Slack refuses in its channel."""


def _condition_text(condition: Filter) -> str:
    """The condition after "if", where a bare NS has a meaning of its own."""
    if isinstance(condition, Compare) and condition.quantity == "NS":
        return condition.explicit_text
    return condition.canonical


def fingerprint(subscription: Subscription) -> str:
    """Return eight characters that change when somebody edits, pauses or resumes the subscription."""
    paused = subscription.paused_at is not None
    state = f"{subscription.id} {paused:d} {subscription.criteria.canonical}"
    return hashlib.sha256(state.encode()).hexdigest()[:8]


def number_with_fingerprint(subscription: Subscription) -> str:
    """Return the value of a button for the subscription; NUMBER_WITH_FINGERPRINT parses it."""
    return f"{subscription.number}@{fingerprint(subscription)}"
