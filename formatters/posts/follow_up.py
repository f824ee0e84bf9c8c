"""The Follow-up reply: what names the event, the newest first, each position compared with its newest map.

One reply in each thread, which is edited. It says what was found where, and never that something is the
counterpart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import (
    MESSAGE_TOTAL_MAX,
    bold,
    escape,
    link,
    plain_text,
    strikethrough,
    utf16_length,
)
from formatters.models.follow_up import FollowUp, FollowUpEntry, named_candidates, pending_retraction
from formatters.models.galaxy import VolumeGalaxies
from formatters.models.related_message import RelatedMessage, StoredMessage
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import coverage_lines, follow_up_lines, galaxy_lines, quantities

MAX_ENTRIES = 20
"""Messages that the reply shows; the rest is counted."""
MAX_NEARBY = 4
"""Nearby alerts that it shows, those with the smallest number expected by chance."""
_TEXT_MAX = 2_500
"""Characters of the text beside the blocks; both count against the limit of a message."""
_FACT_MAX = 320
_COMMAND_LINE_MAX = 600
"""Characters of a line that ends with a command: about galaxies, about coverage."""
CIRCULARS_URL_TEMPLATE = "https://gcn.nasa.gov/circulars?query={}"
"""GCN's circulars that name an event; its own page of an event exists only after the first circular."""


@dataclass(frozen=True, slots=True)
class _Words:
    """Lines of escaped mrkdwn for the blocks, and the same without links for the text."""

    shown: tuple[str, ...]
    spoken: str


def message(follow_up: FollowUp) -> Message | None:
    """Return the reply; None if there is nothing to say."""
    nearby = _nearby_lines(follow_up)
    has_candidates = follow_up_lines.candidates_line(follow_up.superevent, follow_up.candidates) is not None
    if not (follow_up.entries or has_candidates or nearby):
        return None
    entries = [_entry(follow_up, entry) for entry in follow_up.entries[:MAX_ENTRIES]]
    while True:
        built = _build(follow_up, nearby, entries)
        if len(entries) <= 1 or _length(built) <= MESSAGE_TOTAL_MAX:
            return built
        # Words of hostile length: fewer messages, the rest is counted.
        entries.pop()


def emptied(superevent: Superevent) -> Message:
    """Return the message in the place of a reply that has nothing to say any more."""
    title = f"{_title(superevent)} · Follow-up"
    words = (
        "Nothing is listed any more: what stood here was withdrawn by its sender, or no longer fits the"
        " event's newest notice."
    )
    return blocks.message(
        f"{escape(title)}: {escape(words)}", blocks.section(bold(escape(title)), escape(words))
    )


def unlisted(superevent: Superevent) -> Message:
    """Return the message for a reply of which a defect keeps gwevent from listing anything."""
    name = plain_text(superevent.superevent_id)
    words = "gwevent met a fault of its own and can't list what names this event."
    label = f"GCN's circulars about {name}"
    url = _circulars_url(superevent)
    return blocks.message(
        escape(f"{name} · Follow-up: {words} {label}: {url}"),
        blocks.section(bold(escape(f"{name} · Follow-up")), f"{escape(words)} {link(url, label)}"),
    )


def retraction_circular(superevent: Superevent, stored: StoredMessage) -> Message | None:
    """Return the reply that LVK's circular retracts the event; None once LVK's notice has come."""
    if pending_retraction(superevent, [stored]) is None:
        return None
    sentence = _retraction_words(superevent, stored)
    when = _when(superevent, stored.message)
    title = f"{_title(superevent)} · retracted by circular"
    return blocks.message(
        f"{escape(title)}: {sentence.spoken}",
        blocks.section(bold(escape(title)), *sentence.shown),
        blocks.context(
            escape(
                _by_and_when(follow_up_lines.short(stored.message.author, follow_up_lines.AUTHOR_MAX), when)
            )
        ),
    )


def _build(follow_up: FollowUp, nearby: list[str], entries: list[_Words]) -> Message:
    superevent = follow_up.superevent
    title = f"{_title(superevent)} · Follow-up"
    head = _head(follow_up)
    count = len(entries)
    rest = len(follow_up.entries) - count
    shown_entries = follow_up.entries[:count]
    has_regions = bool(nearby) or any(entry.overlap is not None for entry in shown_entries)
    has_levels = _has_positions(follow_up, shown_entries)
    small = _small_print(follow_up, rest, has_levels=has_levels, has_regions=has_regions)
    plain = [escape(line, _FACT_MAX) for line in nearby]
    shown: list[Block] = [blocks.section(bold(escape(title)), *(line for one in head for line in one.shown))]
    if plain:
        shown.append(blocks.section(*plain))
    shown += [blocks.section(*one.shown) for one in entries]
    if small:
        shown.append(blocks.context("\n".join(line for one in small for line in one.shown)))
    spoken = [escape(title), *(one.spoken for one in head), *plain]
    spoken += [one.spoken for one in [*entries, *small]]
    return blocks.message(blocks.fit_lines(spoken, _TEXT_MAX), *shown)


def _title(superevent: Superevent) -> str:
    return " · ".join([*alert_card.status_labels(superevent), plain_text(superevent.superevent_id)])


def _head(follow_up: FollowUp) -> list[_Words]:
    """Return the lines above the list: a retraction without its notice, moves, candidates, galaxies …"""
    superevent = follow_up.superevent
    lines = []
    retraction = pending_retraction(superevent, [entry.stored for entry in follow_up.entries])
    if retraction is not None:
        words = _retraction_words(superevent, retraction)
        lines.append(_Words(tuple(map(bold, words.shown)), words.spoken))
    if follow_up.region_change is not None:
        moved = follow_up_lines.region_change_line(superevent, follow_up.region_change, follow_up.levels_map)
        lines += [] if moved is None else [_plain(superevent, moved)]
    candidates = follow_up_lines.candidates_line(superevent, follow_up.candidates)
    lines += [] if candidates is None else [_plain(superevent, candidates)]
    if follow_up.galaxies is not None:
        lines += _galaxy_lines(superevent, follow_up.galaxies)
    if follow_up.coverage is not None:
        covered = coverage_lines.follow_up_line(superevent, follow_up.coverage)
        lines.append(_plain(superevent, covered, _COMMAND_LINE_MAX))
    return lines


def _galaxy_lines(superevent: Superevent, galaxies: VolumeGalaxies) -> list[_Words]:
    entered = galaxy_lines.entered_line(superevent, galaxies)
    lines = [*([] if entered is None else [entered]), galaxy_lines.follow_up_line(superevent, galaxies)]
    return [_plain(superevent, line, _COMMAND_LINE_MAX) for line in lines]


def _retraction_words(superevent: Superevent, stored: StoredMessage) -> _Words:
    number = stored.message.number
    name = "A circular of LVK's" if number is None else f"LVK's circular {number}"
    rest = escape(
        f" retracts {plain_text(superevent.superevent_id)}; LVK's notice hasn't come, so the message above"
        " still shows it."
    )
    return _Words((f"{link(stored.message.url, name)} {rest}",), f"{escape(name)} {rest}")


def _nearby_lines(follow_up: FollowUp) -> list[str]:
    ranked = sorted(follow_up.nearby, key=lambda one: one.expected_by_chance)
    lines = [line for line in map(follow_up_lines.nearby_line, ranked) if line is not None]
    more = len(lines) - MAX_NEARBY
    return [*lines[:MAX_NEARBY], *([f"{more} more alerts nearby in time and on the sky"] if more > 0 else [])]


def _entry(follow_up: FollowUp, entry: FollowUpEntry) -> _Words:
    superevent, message = follow_up.superevent, entry.stored.message
    kind = plain_text(message.kind.value)
    kind = f"{kind[:1].upper()}{kind[1:]}"
    subject = escape(follow_up_lines.subject(superevent, message))
    if message.is_retracted:
        subject = f"{strikethrough(subject)} {follow_up_lines.WITHDRAWN}" if subject else ""
    name = "" if message.number is None else f"GCN {message.number}"
    small = escape(
        _by_and_when(
            follow_up_lines.short(message.author, follow_up_lines.AUTHOR_MAX),
            _when(superevent, message),
        )
    )
    facts = [_escape(superevent, line) for line in follow_up_lines.fact_lines(follow_up, entry)]
    linked = link(message.url, name) if name else ""
    first = " · ".join(filter(None, (bold(escape(kind)), linked, subject)))
    spoken = " · ".join(filter(None, (escape(kind), escape(name), subject, small, *facts)))
    return _Words((first, *(f"• {fact}" for fact in facts), small), spoken)


def _when(superevent: Superevent, message: RelatedMessage) -> str:
    sent = follow_up_lines.moment(superevent, message.sent)
    if message.first_created is None:
        return sent
    return f"{sent}, edited {follow_up_lines.moment(superevent, message.created)}"


def _by_and_when(author: str, when: str) -> str:
    return f"{author} · {when}" if author else when


def _has_positions(follow_up: FollowUp, entries: Sequence[FollowUpEntry]) -> bool:
    return bool(named_candidates(follow_up.candidates)) or any(
        entry.positions and not entry.stored.message.is_retracted for entry in entries
    )


def _has_3d_levels(follow_up: FollowUp) -> bool:
    places = (one.on_map for entry in follow_up.entries[:MAX_ENTRIES] for one in entry.positions)
    return any(place is not None and place.credible_level_3d is not None for place in places)


def _small_print(follow_up: FollowUp, rest: int, *, has_levels: bool, has_regions: bool) -> list[_Words]:
    superevent = follow_up.superevent
    lines = []
    if rest > 0:
        url = _circulars_url(superevent)
        older = escape(f"{quantities.pluralize(rest, 'older message')} not shown.")
        label = f"GCN's circulars about {plain_text(superevent.superevent_id)}"
        lines.append(_Words((f"{older} {link(url, label)}",), f"{older} {escape(f'{label}: {url}')}"))
    if not has_levels:
        if has_regions and follow_up.levels_map is not None:
            lines.append(_plain(superevent, follow_up_lines.gw_map_line(superevent, follow_up.levels_map)))
        return lines
    if follow_up.levels_failed:
        lines.append(_plain(superevent, "Positions couldn't be compared with the sky map."))
    elif follow_up.levels_map is None:
        lines.append(
            _plain(superevent, "No sky map of this event can be read, so positions have no credible level.")
        )
    else:
        levels = follow_up_lines.levels_lines(
            superevent, follow_up.levels_map, has_3d=_has_3d_levels(follow_up)
        )
        lines += [_plain(superevent, line) for line in levels]
    return lines


def _circulars_url(superevent: Superevent) -> str:
    return CIRCULARS_URL_TEMPLATE.format(quote(superevent.superevent_id, safe=""))


def _plain(superevent: Superevent, line: str, limit: int = _FACT_MAX) -> _Words:
    words = _escape(superevent, line, limit)
    return _Words((words,), words)


def _escape(superevent: Superevent, line: str, limit: int = _FACT_MAX) -> str:
    """Return a line as mrkdwn, with the commands that list candidates, galaxies and coverage as code."""
    words = escape(line, limit)
    commands = (
        follow_up_lines.candidates_command,
        galaxy_lines.galaxies_command,
        coverage_lines.coverage_command,
    )
    for make in commands:
        command = escape(make(superevent))
        words = words.replace(command, f"`{command}`")
    return words


def _length(built: Message) -> int:
    sizes = [utf16_length(built.text)]
    for block in built.blocks:
        texts = [block["text"]] if "text" in block else block["elements"]
        sizes += [utf16_length(text["text"]) for text in texts]
    return sum(sizes)
