"""The facts of a channel's root message, within the card's budget of lines and rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from formatters.blockkit import blocks
from formatters.blockkit.message import Block
from formatters.blockkit.mrkdwn import SECTION_MAX, bold, escape, plain_text
from formatters.models.notice import Event, Notice
from formatters.posts import card_budget
from formatters.posts.card_budget import CardLines, Line, Style
from formatters.text import coincidence_lines, event_lines, quantities, warning_lines
from formatters.text.chirp_mass import chirp_mass_line

_DOT = " · "


@dataclass(frozen=True, slots=True, kw_only=True)
class RootTexts:
    """The texts of a root message that depend on more than its notice: plain text, not escaped."""

    title: str
    status: str
    time: str
    source: tuple[str, ...]
    """Lines about the source: the classes, or what the event is, first."""
    foot: str
    reader_clock: str | None = None
    """The time on the reader's clock in Slack's mark-up, escaped; None to leave it out."""
    sites: tuple[str, ...] = ()
    """The line about what the channel's sites can observe in several lengths, the longest first."""
    criteria: tuple[str, ...] = ()
    """The line about the grades of the channel's criteria sets, likewise."""
    criteria_sets: tuple[str, ...] = ()
    """The sets that this line names where it has room."""


def root_facts(notice: Notice, event: Event, texts: RootTexts) -> tuple[list[Block], list[Block]]:
    """Return the blocks from header to foot, with as much as there is room for, and a block for the end.

    At the end, below the buttons, rows don't count: there the grades stand if not all found room. They answer
    whether to act, and no reply says them before they change.
    """
    chosen = card_budget.fit(_card_lines(notice, event, texts))
    clock = [] if texts.reader_clock is None else [texts.reader_clock]
    status, time, source, *others = (line for line in chosen.fixed if line.is_fact and line.parts)
    shown = [
        blocks.header(texts.title),
        blocks.section(
            bold(escape(status.text)),
            _DOT.join([escape(time.parts[0]), *clock]),
            bold(escape(source.text)),
            *(escape(line.text) for line in others),
        ),
    ]
    if chosen.coincidence is not None:
        name, *details = map(escape, chosen.coincidence.parts)
        shown.append(blocks.section(_DOT.join([bold(name), *details])))
    if chosen.warning is not None:
        shown.append(blocks.section(bold(escape(chosen.warning.text))))
    shown += [
        blocks.section(escape(line.text, SECTION_MAX))
        for line in (chosen.sites, chosen.criteria)
        if line is not None
    ]
    shown.append(blocks.context(escape(chosen.foot.text)))
    said = "" if chosen.criteria is None else chosen.criteria.text
    is_crowded = any(not re.search(rf"(^|· ){re.escape(name)}:", said) for name in texts.criteria_sets)
    return shown, [blocks.context(escape(texts.criteria[0], SECTION_MAX))] if is_crowded else []


def _card_lines(notice: Notice, event: Event, texts: RootTexts) -> CardLines:
    """Return all lines that the card would show if it had room."""
    warned = warning_lines.warning_lines(notice)
    return CardLines(
        fixed=(*_head_lines(texts), *_source_lines(notice, event, texts.source), *_map_lines(notice, event)),
        foot=Line(parts=tuple(texts.foot.split(_DOT)), kept=2, style=Style.SMALL, is_fact=False),
        coincidence=_coincidence_line(notice),
        warning=Line(parts=(warned[0],), style=Style.BOLD) if warned else None,
        sites=next((Line(parts=(text,)) for text in texts.sites), None),
        shorter_sites=tuple(Line(parts=(text,)) for text in texts.sites[1:]),
        criteria=next((Line(parts=(text,)) for text in texts.criteria), None),
        shorter_criteria=tuple(Line(parts=(text,)) for text in texts.criteria[1:]),
    )


def _head_lines(texts: RootTexts) -> list[Line]:
    # The reader's clock isn't known here; this is its widest form.
    clock = () if texts.reader_clock is None else ("your clock 12:51:11 PM",)
    return [
        Line(parts=(texts.title,), style=Style.HEADER, is_fact=False),
        Line(parts=tuple(texts.status.split(_DOT)), kept=2, least=1, style=Style.BOLD),
        Line(parts=(texts.time, *clock), kept=2),
    ]


def _source_lines(notice: Notice, event: Event, lines_about_source: tuple[str, ...]) -> list[Line]:
    """Return the line of the classes (else of what the event is), and one line with all further facts.

    The properties stay. Classes below 1 % are details, and so is the chirp mass; notes about an event without
    classes go last.
    """
    source, *further = lines_about_source
    classes = source.split(_DOT)
    # Terrestrial stays, because the properties mean little without it.
    unlikely = len(classes) > 1 and classes[-1].endswith(quantities.percent(0))
    is_detail = bool(event.classification) and unlikely and "Terrestrial" not in classes[-1]
    lines = [Line(parts=tuple(classes), kept=len(classes) - is_detail, style=Style.BOLD)]
    if further:
        mass = chirp_mass_line(event, notice.alert_type)
        kept = len(further) - (mass is not None and further[-1] == mass)
        lines.append(Line(parts=tuple(further), kept=kept, least=kept if event.classification else 0))
    return lines


def _map_lines(notice: Notice, event: Event) -> list[Line]:
    """Return the line of the sky (the combined map's, else the GW map's) and of its distance, FAR, detectors.

    Of the sky the areas stay; regions and peak are details, which the picture shows.
    """
    sky = coincidence_lines.combined_sky_parts(notice) or [
        part for line in event_lines.sky_lines(notice) for part in line.split(_DOT)
    ]
    # The distance is that of the map in the sky's line, as in the push text and the picture.
    best = notice.best_localization
    measured = None if best is None or event_lines.distances(best) is None else best
    reach = event_lines.distance_far_detectors_line(notice, event, measured)
    names = event_lines.detectors(event)
    if reach.endswith(names):
        reach = f"{reach.removesuffix(names)}{_short_detectors(event, names)}"
    return [Line(parts=tuple(sky), kept=2), Line(parts=(reach,))]


def _short_detectors(event: Event, names: str) -> str:
    """Return several detectors as "HLV"; as given where letters would be unclear."""
    letters = [plain_text(name)[:1] for name in event.instruments]
    return "".join(letters) if 1 < len(letters) == len(set(letters)) else names


def _coincidence_line(notice: Notice) -> Line | None:
    found = coincidence_lines.card_parts(notice)
    if found is None:
        return None
    return Line(parts=found.parts, kept=found.kept, least=found.least, style=Style.FIRST_BOLD)
