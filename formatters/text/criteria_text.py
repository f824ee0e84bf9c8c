"""Subscription criteria in plain English: which alerts a channel gets, and whom they mention."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from operator import and_

from formatters.blockkit.mrkdwn import SECTION_MAX, escape, plain_text, target_label
from formatters.models.escalation import EscalationStep
from formatters.models.filter import And, Filter, Significant, map_queries
from formatters.models.forgotten import FORGOTTEN, FORGOTTEN_WORDS
from formatters.models.related_message import Stream
from formatters.models.significance import MIN_NEUTRON_STAR_PROBABILITY, MIN_REMNANT_PROBABILITY
from formatters.models.subscription import Criteria, MentionRule, silent_mention_text
from formatters.text.filter_sentences import filter_sentence
from formatters.text.quantities import NBSP

_STREAM_NAMES = {
    Stream.CIRCULARS: "GCN Circulars",
    Stream.ICECUBE: "IceCube's neutrino searches",
    Stream.GUANO: "Swift BAT's searches",
    Stream.NEARBY: "bursts and neutrinos near them",
}
OPERATORS_WEBHOOK = "the operators' webhook"
"""The words for the target of a step that mentions nobody."""

_INCLUDED_ALERTS = "early warnings, SSM, cWB-BBH and alerts significant by coincidence"


def describe_alerts(criteria: Criteria) -> str:
    """Return a description of the alerts: "Real, significant CBC alerts (early warnings, …); mocks too."

    The text is not escaped. Mentions are described by `describe_mentions`.
    """
    # "only lowsig" is kept as "not significant lowsig".
    filter_, is_lowsig_alone = _without_significance(criteria)
    categories = "Real"
    if not criteria.real:
        categories = " and ".join(word for word in ("mock", "test") if getattr(criteria, word)).capitalize()
        categories = f"{categories} (no real ones)"
    kinds = f"{categories}, {'low-significance' if is_lowsig_alone else 'significant'}"
    if filter_ is not None or is_lowsig_alone:
        groups = "alerts" if criteria.group == "all" else f"{criteria.group} alerts"
        conditions = "" if filter_ is None else f" with {filter_sentence(filter_)}"
        alerts = f"{kinds} {groups}{conditions}"
    elif criteria.group == "Burst":
        alerts = f"{kinds} Burst alerts (alerts significant by coincidence included)"
    else:
        which = "CBC alerts" if criteria.group == "CBC" else "alerts of every group"
        alerts = f"{kinds} {which} ({_INCLUDED_ALERTS} included)"
    extras = [
        description
        for is_enabled, description in (
            (criteria.real and criteria.mock, "mocks too (about one every hour)"),
            (criteria.real and criteria.test, "tests too"),
            (
                criteria.lowsig and not is_lowsig_alone,
                "low-significance alerts too (several a day while the detectors observe)",
            ),
            (bool(criteria.streams), f"in their threads {_streams(criteria.streams)}"),
            (bool(criteria.criteria_sets), f"with their grades by {' and '.join(criteria.criteria_sets)}"),
        )
        if is_enabled
    ]
    text = "; ".join([alerts, *extras]) + "."
    if filter_ is not None:
        text += " A condition about a value that a notice doesn't state never matches."
        if map_queries(filter_):
            text += " The sky map is checked last, so these alerts may come some seconds later."
    return text


def _streams(streams: Sequence[Stream]) -> str:
    """Return the names of the listed streams: "GCN Circulars, IceCube's neutrino searches"."""
    return ", ".join(_STREAM_NAMES[stream] for stream in streams)


def _without_significance(criteria: Criteria) -> tuple[Filter | None, bool]:
    """Return the filter without "not significant" among its conditions, and True if that stood there."""
    filter_ = criteria.filter
    parts = filter_.parts if isinstance(filter_, And) else () if filter_ is None else (filter_,)
    if not criteria.lowsig or ~Significant() not in parts:
        return filter_, False
    rest = [part for part in parts if part != ~Significant()]
    return (reduce(and_, rest) if rest else None), True


def describe_mentions(notify: MentionRule, *, silent: bool = False) -> str:
    """Return a description of the mentions and when they happen, as mrkdwn.

    Broadcasts are written as plain words, so they notify nobody. If `silent`, people and groups are counted
    instead of named, because in Slack a name always notifies.
    """
    text = "once for each event"
    if notify.only_ns:
        text += (
            f" with BNS + NSBH > {MIN_NEUTRON_STAR_PROBABILITY:g}, HasRemnant × (1 − Terrestrial) >"
            f" {MIN_REMNANT_PROBABILITY:g}, SSM"
            " or a coincidence"
        )
    if notify.condition is not None:
        text += f" with {filter_sentence(notify.condition)}"
    conditional = notify.only_ns or notify.condition is not None
    trigger = (
        "becomes significant, gets a coincidence or meets this condition"
        if conditional
        else ("becomes significant or gets a coincidence")
    )
    text += f", again when it {trigger}, and when it is retracted after that."
    too = [word for is_enabled, word in ((notify.mock, "mocks"), (notify.test, "tests")) if is_enabled]
    text += f" For {' and '.join(too)} too." if too else " Never for mocks and tests."
    if "<!channel>" in notify.targets:
        text += " @channel notifies everybody; @here skips people who are away."
    elif "<!here>" in notify.targets:
        text += " @here skips people who are away."
    targets = notify.silent_mention_text if silent else ", ".join(map(target_label, notify.targets))
    return f"Mentions {targets} {escape(text, SECTION_MAX)}"


def describe_quiet(criteria: Criteria) -> str | None:
    """Return the sentence about quiet events and what that means, not escaped; None if none are quiet."""
    if criteria.quiet is None:
        return None
    return (
        f"Quiet: events with {filter_sentence(criteria.quiet)}. A push has only the header, and no reply goes"
        " to the whole channel; coincidences and mentions stay loud."
    )


def describe_escalation(notify: MentionRule, *, silent: bool = False) -> str | None:
    """Return the sentence about who is next if nobody takes an event, as mrkdwn; None without steps.

    If `silent`, people and groups are counted instead of named.
    """
    if not notify.escalation:
        return None
    label = silent_mention_text if silent else _named_targets
    steps = [
        f"after {step_time(step)} {OPERATORS_WEBHOOK if step.webhook else label(step.targets)}"
        for step in notify.escalation
    ]
    # A comma parts the people of one step.
    counted = "Times count from the first mention of a real event."
    return f"If nobody presses “I have it”: {'; '.join(steps)}. {counted}"


def step_time(step: EscalationStep) -> str:
    """Return when a step comes after the first mention: "5 min", "1 h 30 min"; not escaped."""
    hours, minutes = divmod(round(step.after.total_seconds() / 60), 60)
    return " ".join([*([f"{hours}{NBSP}h"] if hours else []), *([f"{minutes}{NBSP}min"] if minutes else [])])


def _named_targets(targets: Sequence[str]) -> str:
    return ", ".join(map(target_label, targets))


def describe(criteria: Criteria, *, silent: bool = False) -> list[str]:
    """Return mrkdwn lines: what the alerts are, which are quiet, whom they mention and who is next.

    If `silent`, the lines notify nobody.
    """
    quiet = describe_quiet(criteria)
    lines = [escape(describe_alerts(criteria), SECTION_MAX)]
    lines += [] if quiet is None else [escape(quiet, SECTION_MAX)]
    if criteria.notify is None:
        return lines
    escalation = describe_escalation(criteria.notify, silent=silent)
    lines.append(describe_mentions(criteria.notify, silent=silent))
    return lines if escalation is None else [*lines, escalation]


def user_mention(user_id: str) -> str:
    """Return a mention of a Slack user id, which Slack shows as a name; any other text is escaped."""
    if user_id == FORGOTTEN:
        return FORGOTTEN_WORDS
    # Anything that is not a Slack user id must not become mark-up.
    return f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else escape(plain_text(user_id))
