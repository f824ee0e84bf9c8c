"""Criteria of subscriptions in plain English, as mrkdwn: what will come, and whom it mentions."""

from __future__ import annotations

import re

from formatters.blockkit.mrkdwn import SECTION_MAX, escape, plain_text, target_label
from formatters.models.filter import map_queries
from formatters.models.significance import MIN_NEUTRON_STAR_PROBABILITY, MIN_REMNANT_PROBABILITY
from formatters.models.subscription import Criteria, MentionRule
from formatters.text.filter_sentences import filter_sentence

_INCLUDED_ALERTS = "early warnings, SSM, cWB-BBH and alerts significant by coincidence"


def describe_alerts(criteria: Criteria) -> str:
    """Exactly what will come: "Real, significant CBC alerts (early warnings, …); mocks too".

    Not escaped; whom it mentions is said by `mentioning`.
    """
    if criteria.filter is not None:
        groups = "alerts" if criteria.group == "all" else f"{criteria.group} alerts"
        what = f"Real, significant {groups} with {filter_sentence(criteria.filter)}"
    elif criteria.group == "Burst":
        what = "Real, significant Burst alerts (alerts significant by coincidence included)"
    else:
        which = "CBC alerts" if criteria.group == "CBC" else "alerts of every group"
        what = f"Real, significant {which} ({_INCLUDED_ALERTS} included)"
    extras = [
        words
        for asked, words in (
            (criteria.mock, "mocks too (about one every hour)"),
            (criteria.test, "tests too"),
            (criteria.lowsig, "low-significance alerts too (several a day while the detectors observe)"),
            (criteria.circulars, "GCN Circulars about them linked in their threads"),
        )
        if asked
    ]
    said = "; ".join([what, *extras]) + "."
    if criteria.filter is not None:
        said += " A condition about a value that a notice doesn't state never matches."
        if map_queries(criteria.filter):
            said += " The sky map is checked last, so these alerts may come some seconds later."
    return said


def describe_mentions(notify: MentionRule, *, silent: bool = False) -> str:
    """Who is mentioned and when, for a mrkdwn text; broadcasts stand as words, and if `quiet` all do."""
    said = "once for each event"
    if notify.only_ns:
        said += (
            f" with BNS + NSBH > {MIN_NEUTRON_STAR_PROBABILITY:g}, HasRemnant × (1 − Terrestrial) >"
            f" {MIN_REMNANT_PROBABILITY:g}, SSM"
            " or a coincidence"
        )
    if notify.condition is not None:
        said += f" with {filter_sentence(notify.condition)}"
    conditional = notify.only_ns or notify.condition is not None
    turns = (
        "becomes significant, gets a coincidence or meets this condition"
        if conditional
        else ("becomes significant or gets a coincidence")
    )
    said += f", again when it {turns}, and when it is retracted after that."
    too = [word for asked, word in ((notify.mock, "mocks"), (notify.test, "tests")) if asked]
    said += f" For {' and '.join(too)} too." if too else " Never for mocks and tests."
    if "<!channel>" in notify.targets:
        said += " @channel notifies everybody; @here skips people who are away."
    elif "<!here>" in notify.targets:
        said += " @here skips people who are away."
    whom = notify.silent_targets if silent else ", ".join(map(target_label, notify.targets))
    return f"Mentions {whom} {escape(said, SECTION_MAX)}"


def describe(criteria: Criteria, *, silent: bool = False) -> list[str]:
    """Exactly what will come and whom it mentions, for mrkdwn texts; `quiet` ones wake nobody."""
    lines = [escape(describe_alerts(criteria), SECTION_MAX)]
    return lines if criteria.notify is None else [*lines, describe_mentions(criteria.notify, silent=silent)]


def user_mention(user_id: str) -> str:
    """A person by Slack's id, as mark-up that Slack shows as a name."""
    # An id from Slack; anything that isn't one must not become mark-up.
    return f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else escape(plain_text(user_id))
