"""Subscriptions of a channel: their criteria and their mention rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from formatters.blockkit.mrkdwn import SECTION_MAX, escape, target_label
from formatters.models.escalation import WEBHOOK, EscalationStep
from formatters.models.filter import And, Compare, Filter, GradeCondition, Or, conditions
from formatters.models.related_message import Stream

BROADCAST_WORDS = {"<!here>": "@here", "<!channel>": "@channel"}

NUMBER_WITH_FINGERPRINT = re.compile(r"#?(\d{1,18})(?:@([0-9a-f]{8}))?")
"""Syntax of a subscription's number, followed in button values by its `fingerprint` ("3@0123abcd")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionRule:
    """The people that a subscription mentions, and the conditions for it."""

    targets: tuple[str, ...]
    """Targets in Slack's syntax: "<!here>", "<!channel>", "<@U…>", "<!subteam^S…>"; at least one."""
    mock: bool = False
    """True to mention for mocks too."""
    test: bool = False
    """True to mention for tests too."""
    only_ns: bool = False
    """True to mention only if light may be expected (`significance.is_light_expected`): "if NS"."""
    condition: Filter | None = None
    """Additional condition for a mention; not allowed together with `only_ns`."""
    escalation: tuple[EscalationStep, ...] = ()
    """The steps that follow, at increasing times after the first mention, until somebody says "I have it"."""

    @property
    def all_targets(self) -> tuple[str, ...]:
        """All targets that the rule may mention, those of its steps too, each once."""
        steps = (target for step in self.escalation for target in step.targets)
        return tuple(dict.fromkeys((*self.targets, *steps)))

    @property
    def canonical(self) -> str:
        """The canonical text: "notify @here <@U024BE7LH> notify-mocks if NS"."""
        parts = ["notify", *map(_typed_target, self.targets)]
        return " ".join([*parts, *self._conditions, *self._steps(_typed_target)])

    @property
    def mrkdwn(self) -> str:
        """The rule as mrkdwn with real mentions of people and groups; broadcasts are plain words."""
        conditions = [escape(words, SECTION_MAX) for words in self._conditions]
        steps = self._steps(target_label)
        return " ".join(["notify", *map(target_label, self.targets), *conditions, *steps])

    @property
    def silent_mrkdwn(self) -> str:
        """The rule as mrkdwn that notifies nobody: "notify @here, 2 people, 1 group if NS"."""
        conditions = [escape(words, SECTION_MAX) for words in self._conditions]
        steps = ["escalate"] if self.escalation else []
        for step in self.escalation:
            steps += [_minutes(step), silent_mention_text(step.targets) or WEBHOOK]
        return " ".join(["notify", self.silent_mention_text, *conditions, *steps])

    @property
    def silent_mention_text(self) -> str:
        """The targets as mrkdwn that notifies nobody; people are counted, as names would notify them."""
        return silent_mention_text(self.targets)

    def _steps(self, label: Callable[[str], str]) -> list[str]:
        """Return the words of the escalation: "escalate", "5min", "@second", "10min", "webhook"."""
        words = ["escalate"] if self.escalation else []
        for step in self.escalation:
            words += [_minutes(step), *map(label, step.targets), *([WEBHOOK] if step.webhook else [])]
        return words

    @property
    def _conditions(self) -> list[str]:
        switches = ((self.mock, "notify-mocks"), (self.test, "notify-tests"), (self.only_ns, "if NS"))
        parts = [text for is_on, text in switches if is_on]
        if self.condition is not None:
            parts.append(f"if {_condition_text(self.condition)}")
        return parts


def silent_mention_text(targets: Sequence[str]) -> str:
    """Return targets as mrkdwn that notifies nobody; people are counted, as names would notify them."""
    parts = [BROADCAST_WORDS[target] for target in targets if target in BROADCAST_WORDS]
    people = sum(target.startswith("<@") for target in targets)
    groups = len(targets) - len(parts) - people
    if people:
        parts.append("1 person" if people == 1 else f"{people} people")
    if groups:
        parts.append(f"{groups} group{'s' if groups > 1 else ''}")
    return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """The criteria of a subscription: the words after `/gwevent subscribe`."""

    group: str = "all"
    """"CBC", "Burst" or "all" (any group, including unknown ones)."""
    real: bool = True
    """False to leave real events out, which only criteria with mocks or tests may."""
    mock: bool = False
    """True to include mock events (one every hour)."""
    test: bool = False
    """True to include test events."""
    lowsig: bool = False
    """True to include low-significance alerts."""
    streams: tuple[Stream, ...] = ()
    """Streams whose messages the event's Follow-up reply lists, in the order of THREAD_STREAMS."""
    criteria_sets: tuple[str, ...] = ()
    """Slugs of the criteria sets whose grades the channel's messages show, as they were typed."""
    filter: Filter | None = None
    """Further conditions; None for none. A group condition on the whole filter is in `group` instead."""
    quiet: Filter | None = None
    """Events whose posts have no push words beyond the header, unless they coincide with another signal: a
    condition such as BBH; None for none."""
    notify: MentionRule | None = None
    """The mention rule; None if nobody is mentioned."""

    @property
    def circulars(self) -> bool:
        """True if GCN Circulars are among the streams."""
        return Stream.CIRCULARS in self.streams

    @property
    def canonical(self) -> str:
        """The canonical text, as people type it: "CBC mock lowsig notify @here if NS"."""
        return (
            self.canonical_without_mentions
            if self.notify is None
            else f"{self.canonical_without_mentions} {self.notify.canonical}"
        )

    @property
    def mrkdwn(self) -> str:
        """The canonical text as mrkdwn with real mentions of people and groups."""
        what = escape(self.canonical_without_mentions, SECTION_MAX)
        return what if self.notify is None else f"{what} {self.notify.mrkdwn}"

    @property
    def silent_mrkdwn(self) -> str:
        """The canonical text as mrkdwn that notifies nobody."""
        what = escape(self.canonical_without_mentions, SECTION_MAX)
        return what if self.notify is None else f"{what} {self.notify.silent_mrkdwn}"

    @property
    def has_webhook_step(self) -> bool:
        """True if the operators' webhook is called as a step of the mention's escalation."""
        return self.notify is not None and any(step.webhook for step in self.notify.escalation)

    @property
    def grade_conditions(self) -> tuple[GradeCondition, ...]:
        """The conditions on grades, in the filter and for a mention."""
        mention = None if self.notify is None else self.notify.condition
        filters = [part for part in (self.filter, mention) if part is not None]
        return tuple(c for one in filters for c in conditions(one) if isinstance(c, GradeCondition))

    @property
    def used_sets(self) -> tuple[str, ...]:
        """Slugs of all criteria sets that are named: those shown, and those of conditions, each once."""
        return tuple(dict.fromkeys([*self.criteria_sets, *(c.slug for c in self.grade_conditions)]))

    @property
    def canonical_without_mentions(self) -> str:
        """The canonical text without the mention rule: "CBC BNS distance<300 mock lowsig"."""
        switches = [word for word in ("mock", "test", "lowsig") if getattr(self, word)]
        if self.streams:
            # Circulars alone are written as before there were other streams.
            switches += ["streams", *self.streams] if self.streams != (Stream.CIRCULARS,) else self.streams
        sets = ["criteria", *self.criteria_sets] if self.criteria_sets else []
        quiet = [] if self.quiet is None else ["quiet", in_parentheses(self.quiet)]
        real = [] if self.real else ["only"]
        return " ".join([self.group_and_filter, *real, *switches, *quiet, *sets])

    @property
    def group_and_filter(self) -> str:
        """The canonical text of group and filter alone: "CBC BNS distance<300"."""
        if self.filter is None:
            return self.group
        text = f"({self.filter.canonical})" if isinstance(self.filter, Or) else self.filter.canonical
        return f"{self.group} {text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMention:
    """A mention that Slack refuses in a channel, so that messages are posted without it."""

    target: str
    """The mention in Slack's syntax."""
    reason: str
    """Slack's error code."""
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription of one channel."""

    id: int
    """Database id, unique among all channels."""
    number: int
    """Number within the channel (1, 2, 3 …), shown to people and never reused."""
    team_id: str
    channel_id: str
    criteria: Criteria
    created_by: str
    """Slack user id of the creator."""
    created_at: datetime
    delivery_problem: str | None = None
    """Slack's error code if nothing can be delivered to the channel now (`is_archived`); else None."""
    paused_at: datetime | None = None
    """Time at which the subscription was paused; None if it is active."""
    is_pending: bool = False
    """True until its confirmation is posted in the channel; it is not in force before."""
    refused_mentions: tuple[RefusedMention, ...] = ()
    """Mentions of this subscription that Slack refuses in its channel."""
    missing_sets: tuple[str, ...] = ()
    """Criteria sets that it names and the workspace doesn't have ("ntt-kilonova"), or grades that such a set
    doesn't have ("ntt-kilonova Silver"). Conditions on them are unknown, so they never hold."""


def in_parentheses(condition: Filter) -> str:
    """Return a condition as one group: "BBH", "(BBH or Terrestrial)"."""
    return f"({condition.canonical})" if isinstance(condition, And | Or) else condition.canonical


def _typed_target(target: str) -> str:
    return BROADCAST_WORDS.get(target, target)


def _minutes(step: EscalationStep) -> str:
    """Return a step's time as it is typed: "5min"."""
    return f"{round(step.after.total_seconds() / 60)}min"


def _condition_text(condition: Filter) -> str:
    """Return the condition after "if"; NS is written explicitly, because "if NS" means `only_ns`."""
    if isinstance(condition, Compare) and condition.quantity == "NS":
        return condition.explicit_text
    return condition.canonical


def fingerprint(subscription: Subscription) -> str:
    """Return eight hexadecimal digits that change if the subscription is edited, paused or resumed."""
    paused = subscription.paused_at is not None
    state = f"{subscription.id} {paused:d} {subscription.criteria.canonical}"
    return hashlib.sha256(state.encode()).hexdigest()[:8]


def number_with_fingerprint(subscription: Subscription) -> str:
    """Return a button value for the subscription, in the syntax of NUMBER_WITH_FINGERPRINT."""
    return f"{subscription.number}@{fingerprint(subscription)}"
