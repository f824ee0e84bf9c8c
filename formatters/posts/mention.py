"""Messages in a superevent's thread that mention people: a new event, an upgrade, a retraction.

A mention target is written in Slack's syntax: "<!here>", "<!channel>", "<@U…>", "<!subteam^S…>".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, link, mentions
from formatters.models.notice import Notice
from formatters.models.significance import (
    Upgrade,
    find_upgrade,
    is_light_expected,
    is_unconfirmed_early_warning,
)
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, event_buttons
from formatters.text import coincidence_lines, event_lines, push_text, quantities, warning_lines


def upgrade_lines(upgrade: Upgrade, notice: Notice) -> list[str]:
    """Return the reasons for a further mention that `notice` adds, as plain lines; empty if there is none."""
    lines = []
    if upgrade.newly_significant is not None:
        lines.append(event_lines.now_significant_line(upgrade.newly_significant))
    lines += [
        f"New coincidence: {coincidence_lines.coincidence_words(external, notice)}"
        for external in upgrade.new_coincidences
    ]
    if upgrade.has_new_unreadable_coincidence:
        lines.append(coincidence_lines.UNREADABLE_COINCIDENCE)
    return lines


def mention_message(
    superevent: Superevent,
    notice: Notice,
    targets: Sequence[str],
    root: str | None,
    grade: str | None = None,
    *,
    is_muted: bool = False,
    is_waiting: bool = False,
) -> Message:
    """Return the short message that mentions `targets` because of `notice`.

    `root` is the address of the superevent's card, which the message links; None if it is unknown. `grade`
    are the words for the best grade of the channel's criteria sets, as in the card's push text. If the
    channel waits for somebody to take the event, the message has the button "I have it". With `is_muted`, it
    says that the card it links isn't up to date.
    """
    then = superevent.up_to(notice)
    before = superevent.previous_notice(notice)
    earlier = None if before is None else superevent.up_to(before)
    lines = upgrade_lines(find_upgrade(earlier, then), notice)
    if before is not None and before.is_retraction:
        lines.insert(0, f"A candidate again: it was retracted {quantities.utc(before.time_created)}")
    elif before is not None and is_light_expected(notice) and not lines and not _had_light_expected(earlier):
        lines.append("Light may be expected now: BNS, NSBH, a remnant, SSM or a coincidence")
    known = superevent.latest_with_event
    if known is not None and known.event is not None:
        lines.append(push_text.push_facts(known, known.event, grade))
    note = None
    if is_muted:
        unmute = f"`/gwevent unmute {escape(superevent.superevent_id)}`"
        note = f"Muted in this channel, so its card shows an older state: {unmute} brings it up to date."
    return _message(superevent, lines, targets, root, note, is_waiting=is_waiting)


def retraction_mention(superevent: Superevent, targets: Sequence[str], root: str | None) -> Message:
    """Return the short message that informs the people mentioned before that the event was retracted.

    `root` is the address of the superevent's card, which the message links; None if it is unknown.
    """
    lines = ["Stand down: no longer a candidate of interest"]
    if is_unconfirmed_early_warning(superevent):
        lines.append(warning_lines.UNCONFIRMED_EARLY_WARNING)
    return _message(superevent, lines, targets, root)


def _message(
    superevent: Superevent,
    reasons: Iterable[str],
    targets: Sequence[str],
    root: str | None,
    note: str | None = None,
    *,
    is_waiting: bool = False,
) -> Message:
    mentioned, title = mentions(targets), alert_card.title(superevent)
    reason_text = " · ".join(map(escape, reasons))
    lines = [f"{mentioned} {bold(escape(title))}", reason_text]
    if root is not None:
        lines.append(link(root, f"All of {superevent.superevent_id}"))
    if note is not None:
        lines.append(note)
    text = f"{mentioned} {escape(title)} · {reason_text}"
    shown = [blocks.section(*lines)]
    if is_waiting:
        shown.append(blocks.actions(event_buttons.acknowledge_button(superevent.superevent_id)))
    return blocks.message(text, *shown, mentions=tuple(targets))


def _had_light_expected(superevent: Superevent | None) -> bool:
    known = None if superevent is None else superevent.latest_with_event
    return known is not None and is_light_expected(known)
