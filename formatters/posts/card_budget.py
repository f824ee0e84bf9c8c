"""The room of a channel's root message: at most ten lines of facts, 16 rows on a phone before the picture.

Rows are estimated from the widths of Helvetica's characters, of which Slack's own fonts differ little; the
tests compare the estimate with a browser's on a screen 360 px wide. A mention above the header isn't counted:
only the first post has one, and the picture comes with an edit, which has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

MAX_FACT_LINES = 10
"""Lines between the header and the foot, however many rows they take."""
MAX_ROWS = 16
"""Rows before the picture on a screen 360 px wide: header, facts and foot."""


class Style(Enum):
    """The size and weight of a line of text."""

    HEADER = auto()
    BOLD = auto()
    FIRST_BOLD = auto()
    """Bold up to the first middle dot."""
    PLAIN = auto()
    SMALL = auto()


_ROW_WIDTHS = {
    Style.HEADER: 288 / 18,
    Style.BOLD: 280 / 15,
    Style.FIRST_BOLD: 280 / 15,
    Style.PLAIN: 280 / 15,
    Style.SMALL: 276 / 13,
}
"""Width of a row in units of the font's size (px / px), without margins and the app's picture."""
_WIDEST = 1.02


def _widths(characters_by_width: dict[int, str]) -> dict[str, float]:
    """Return the width of each character in units of the font's size, from thousandths."""
    return {
        character: width / 1000
        for width, characters in characters_by_width.items()
        for character in characters
    }


_REGULAR = _widths(
    {
        222: "ijl'\u2032",
        278: " \u00a0!,./:;I[]ft\u00b7|",
        334: "()-`r\u00b2{}",
        400: '\u00b0"*\u2033',
        500: "Jcksvxyz",
        556: "#$0123456789?L_abdeghnopqu\u2013\u00b1\u2264\u2265",
        584: "+<=>~\u2212",
        611: "FTZ",
        667: "&ABEKPSVXY",
        722: "CDHNRUw",
        778: "GOQ",
        833: "Mm",
        889: "%",
    }
)
"""Helvetica's widths; any other character counts as the widest."""
_BOLD = _widths(
    {
        278: " \u00a0,./I\\ijl\u00b7|'\u2032",
        333: "!()-:;[]`ft\u00b2",
        400: "*r{}\u00b0",
        479: '"\u2033',
        500: "z",
        556: "#$0123456789J_aceksvxy\u2013\u00b1\u2264\u2265",
        584: "+<=>~\u2212",
        611: "?FLTZbdghnopqu",
        667: "EPSVXY",
        722: "&ABCDHKNRU",
        778: "GOQw",
        833: "M",
        889: "%m",
    }
)
"""Helvetica Bold's widths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a card, in parts that are joined by a middle dot: plain text, not escaped."""

    parts: tuple[str, ...]
    kept: int = 1
    """Number of parts, from the first, that are more than detail."""
    least: int | None = None
    """Number of parts that stay even if the card is too long; None for `kept`. With 0 the line may go."""
    style: Style = Style.PLAIN
    is_fact: bool = True
    """False for the header and the foot, which count as rows only."""

    @property
    def text(self) -> str:
        """The whole line."""
        return " · ".join(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLines:
    """All lines of a card before its picture. An optional one is None where there is nothing to say."""

    fixed: tuple[Line, ...]
    """The lines that always stay, from the header to the distance."""
    foot: Line
    """The small print, which always stays."""
    coincidence: Line | None = None
    """Stays too."""
    warning: Line | None = None
    sites: Line | None = None
    shorter_sites: tuple[Line, ...] = ()
    """Shorter lines in place of `sites`, the longest first."""
    criteria: Line | None = None
    shorter_criteria: tuple[Line, ...] = ()
    """Shorter lines in place of `criteria`: first the same without reasons, then less and less."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines that say something."""
        optional = (self.coincidence, self.warning, self.sites, self.criteria)
        every = (*self.fixed, *(line for line in optional if line is not None), self.foot)
        return tuple(line for line in every if line.parts)


def fit(card: CardLines) -> CardLines:
    """Return the card with so much left out that it fits, and no more.

    Details yield first: the reasons of the criteria, then the parts beyond `kept` of the foot, then of the
    coincidence, then of the fixed lines from the last to the first. Then whole lines yield: criteria, sites
    (of both the shorter forms before), warning.
    Last go the parts beyond `least` of the fixed lines and of the coincidence. If that doesn't suffice, the
    card is too long. Room that is left once a whole line has gone goes to details again, not to a line that
    yields earlier.
    """
    chosen = card
    for chosen in by_yielding(card):
        if fits(chosen):
            return _with_details_again(card, chosen)
    return chosen


def _with_details_again(card: CardLines, chosen: CardLines) -> CardLines:
    """Give details back, in the opposite order in which they yield, as long as the card fits."""
    for index, whole in enumerate(card.fixed):
        for line in _longer(whole, chosen.fixed[index]):
            longer = replace(chosen, fixed=(*chosen.fixed[:index], line, *chosen.fixed[index + 1 :]))
            if not fits(longer):
                break
            chosen = longer
    if card.coincidence is not None and chosen.coincidence is not None:
        for line in _longer(card.coincidence, chosen.coincidence):
            longer = replace(chosen, coincidence=line)
            if not fits(longer):
                break
            chosen = longer
    for line in _longer(card.foot, chosen.foot):
        longer = replace(chosen, foot=line)
        if not fits(longer):
            break
        chosen = longer
    return chosen


def _longer(whole: Line, line: Line) -> Iterator[Line]:
    """Generate a shortened line with one part more each time, up to the whole one."""
    for count in range(len(line.parts) + 1, len(whole.parts) + 1):
        yield replace(whole, parts=whole.parts[:count])


def fits(card: CardLines) -> bool:
    """Return True if a card keeps both limits."""
    facts = sum(line.is_fact for line in card.lines)
    return facts <= MAX_FACT_LINES and sum(map(rows, card.lines)) <= MAX_ROWS


def by_yielding(card: CardLines) -> Iterator[CardLines]:
    """Generate the card with ever more left out: first whole, at last without all that may yield."""
    yield card
    if card.criteria is not None:
        for line in card.shorter_criteria[:1]:
            card = replace(card, criteria=line)
            yield card
    for foot in _shorter(card.foot, card.foot.kept):
        card = replace(card, foot=foot)
        yield card
    for shorter in _by_shortening_coincidence(card, last_resort=False):
        card = shorter
        yield card
    for shorter in _by_shortening_fixed(card, last_resort=False):
        card = shorter
        yield card
    if card.criteria is not None:
        for shorter_line in (*card.shorter_criteria[1:], None):
            card = replace(card, criteria=shorter_line)
            yield card
    if card.sites is not None:
        for shorter_line in (*card.shorter_sites, None):
            card = replace(card, sites=shorter_line)
            yield card
    if card.warning is not None:
        card = replace(card, warning=None)
        yield card
    for shorter in _by_shortening_fixed(card, last_resort=True):
        card = shorter
        yield card
    yield from _by_shortening_coincidence(card, last_resort=True)


def _by_shortening_coincidence(card: CardLines, *, last_resort: bool) -> Iterator[CardLines]:
    if card.coincidence is not None:
        for line in _shorter(card.coincidence, _limit(card.coincidence, last_resort=last_resort)):
            yield replace(card, coincidence=line)


def _by_shortening_fixed(card: CardLines, *, last_resort: bool) -> Iterator[CardLines]:
    """Generate the card with ever fewer parts of the fixed lines, from the last."""
    for index in reversed(range(len(card.fixed))):
        for line in _shorter(card.fixed[index], _limit(card.fixed[index], last_resort=last_resort)):
            card = replace(card, fixed=(*card.fixed[:index], line, *card.fixed[index + 1 :]))
            yield card


def _limit(line: Line, *, last_resort: bool) -> int:
    return line.least if last_resort and line.least is not None else line.kept


def _shorter(line: Line, kept: int) -> Iterator[Line]:
    """Generate a line with one part less each time, down to `kept` parts."""
    for count in range(len(line.parts) - 1, kept - 1, -1):
        yield replace(line, parts=line.parts[:count])


def rows(line: Line) -> int:
    """Return how many rows a line takes on a screen 360 px wide; at least 1.

    Text breaks at blanks and, where a word is longer than a row, anywhere.
    """
    limit = _ROW_WIDTHS[line.style]
    count, used = 1, 0.0
    for word, widths in _words(line):
        width = sum(widths.get(character, _WIDEST) for character in word)
        if used and used + widths[" "] + width > limit:
            count, used = count + 1, 0.0
        used += width + (widths[" "] if used else 0.0)
        if used > limit:
            # A row holds no fraction of a character, so a little less than its width is used.
            more = math.ceil(used / (limit - _WIDEST)) - 1
            count, used = count + more, max(0.0, used - more * (limit - _WIDEST))
    return count


def _words(line: Line) -> Iterator[tuple[str, dict[str, float]]]:
    """Generate the words of a line, each with the widths of its characters."""
    is_bold = line.style in (Style.HEADER, Style.BOLD)
    for number, part in enumerate(line.parts):
        bold = is_bold or (line.style is Style.FIRST_BOLD and number == 0)
        if number:
            yield "·", _REGULAR
        for word in part.split(" "):
            yield word, _BOLD if bold else _REGULAR
