"""Mentions: when an event is worth waking somebody, and how that is said.

A target is written as Slack writes it: "<!here>", "<!channel>", "<@U…>", "<!subteam^S…>".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, link, mentions
from formatters.models.notice import Notice
from formatters.models.significance import Upgrade, find_upgrade, is_light_expected
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import event_lines, quantities


def upgrade_lines(upgrade: Upgrade) -> list[str]:
    """Return the reasons for a further mention in plain words, a line each; empty if there is none."""
    lines = []
    if upgrade.newly_significant is not None:
        lines.append(event_lines.now_significant_line(upgrade.newly_significant))
    lines += [
        f"New coincidence: {event_lines.coincidence_words(external)}" for external in upgrade.new_coincidences
    ]
    if upgrade.has_new_unreadable_coincidence:
        lines.append(event_lines.UNREADABLE_COINCIDENCE)
    return lines


def mention_message(
    superevent: Superevent, notice: Notice, targets: Sequence[str], root: str | None
) -> Message:
    """The short message that mentions `targets` because of `notice`; `root` is the address of the card."""
    then = superevent.up_to(notice)
    before = superevent.previous_notice(notice)
    earlier = None if before is None else superevent.up_to(before)
    said = upgrade_lines(find_upgrade(earlier, then))
    if before is not None and before.is_retraction:
        said.insert(0, f"A candidate again: it was retracted {quantities.utc(before.time_created)}")
    elif before is not None and is_light_expected(notice) and not said and not _had_light_expected(earlier):
        said.append("Light may be expected now: BNS, NSBH, a remnant, SSM or a coincidence")
    known = superevent.latest_with_event
    if known is not None and known.event is not None:
        said.append(event_lines.notification_facts(known, known.event))
    return _message(superevent, said, targets, root)


def retraction_mention(superevent: Superevent, targets: Sequence[str], root: str | None) -> Message:
    """The short message that tells who was mentioned that the event is none."""
    said = ["Stand down: no longer a candidate of interest"]
    return _message(superevent, said, targets, root)


def _message(
    superevent: Superevent, said: Iterable[str], targets: Sequence[str], root: str | None
) -> Message:
    who, title = mentions(targets), alert_card.title(superevent)
    words = " · ".join(map(escape, said))
    lines = [f"{who} {bold(escape(title))}", words]
    if root is not None:
        lines.append(link(root, f"All of {superevent.superevent_id}"))
    text = f"{who} {escape(title)} · {words}"
    return blocks.message(text, blocks.section(*lines), mentions=tuple(targets))


def _had_light_expected(superevent: Superevent | None) -> bool:
    known = None if superevent is None else superevent.latest_with_event
    return known is not None and is_light_expected(known)
