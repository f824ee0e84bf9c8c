"""Positions of sources in the text of a GCN Circular.

A reported position is a pair of coordinates that the text gives as the place of a source: of a transient, a
burst, a neutrino, an X-ray source, a counterpart candidate, the direction that a search found. Left out are
where a telescope pointed, centres of fields, tiles and regions, corners and ellipses, the Sun, the Earth and
the Moon, observatories, comparison stars, what the sentence calls unrelated, lists of observed galaxies, and
everything that isn't surely a pair of coordinates (a wrong position misleads, a missing one is still in the
circular).

Understood are

- "RA = 197.45, Dec = -23.38", with labels before both or before the pair, on one line or two, in degrees or
  sexagesimal with h m s, d ' ", colons or blanks;
- 13h09m48.1s -23d22m53s without labels, and 13:09:48.1 -23:22:53 behind a name;
- the same on two lines of a table of keys and values, with bars, tabs, colons or "=" between;
- "AT2017gfo (197.45042, -23.38147)": a pair that stands behind the designation of a transient;
- Galactic l and b in degrees with the word Galactic beside them;
- rows of tables below a line that names the columns RA and Dec (`position_tables`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.related_messages.position_context import (
    Context,
    context_of,
    has_unit,
    is_directly_behind_name,
    is_other_place,
    is_unrelated,
    name_before,
    name_behind,
    own_part,
    properties_of,
)
from bot.related_messages.position_tables import find_tables
from bot.related_messages.position_values import (
    DEC_DMS,
    DEC_VALUE,
    RA_HMS,
    RA_VALUE,
    WrittenPosition,
    galactic_value,
    normalize_text,
    value_of,
)
from formatters.models.related_message import ReportedPosition
from formatters.text.quantities import separation

MAX_POSITIONS = 300
"""Positions of one text; a text with more is cut there. The longest list of a circular had some 100."""
MAX_TEXT = 100_000
"""Characters that are read; GCN's circulars are much shorter."""
_MAX_ANCHORS = 4000
"""Places of one text at which a position is looked for, so that no text takes long."""
_SAME = 5 / 3600
"""Degrees within which two positions of a text are one, unless both have a name of their own."""
_EQUIVALENT = re.compile(r"\s{0,3}[),;]?\s{0,3}(?:=|\(?(?:which is )?equivalent|or\b|i\.e\.|corresponding)")
_LARGE = 100.0
"""Degrees of right ascension from which a pair behind a name is no pair of magnitudes."""
_STEPS = 3.0
"""Steps of the coarser one's last digit within which a position said in another way is the same."""

_NOTE = (
    r"(?:[\s_]{0,3}[(\[]?[^\S\n]?(?:in[^\S\n])?(?:J\s?)?(?:2000(?:\.0{1,2})?|ICRS|FK5|degrees|deg|hms|dms"
    r"|hh[:\s]?mm[:\s]?ss(?:\.s{1,3})?|[+-]?dd[:\s]?mm[:\s]?ss(?:\.s{1,3})?|hours?|°|h|d)(?![\w.])"
    r"[,;\s]{0,2}(?:(?:J\s?)?(?:2000(?:\.0{1,2})?|ICRS|FK5|degrees|deg)(?!\w))?[^\S\n]?[)\]]?){0,2}"
)
"""A frame or a unit behind a label: J2000, (2000.0), (J2000, deg). Another frame isn't matched."""
_RA = r"(?:R\.?[^\S\n]?A\.?|r\.a\.|[Rr]a|[Rr]ight[^\S\n][Aa]scension|RIGHT[^\S\n]ASCENSION|[Aa]lpha)"
_DEC = r"(?:Decl(?:ination)?|decl(?:ination)?|DECL(?:INATION)?|Dec|dec|DEC|DE|[Dd]elta)\.?"
_IS = r"(?:[^\S\n]{0,4}(?:[=:]{1,2}|(?:is|of|at|are|was)\b)\s{0,6}|[^\S\n]{1,4})"
_OPEN = r"[(\[]?[^\S\n]?"
_NUMBER = r"\d{1,4}(?:\.\d{1,6})?"
_PLUS_MINUS = (
    rf"(?:±[^\S\n]?(?:{_NUMBER}|\d{{1,2}}[s\"]\.\d{{1,4}})"
    rf"|\+[^\S\n]?{_NUMBER}[^\S\n]?/?[^\S\n]?-[^\S\n]?{_NUMBER}"
    rf"|\^\{{\+{_NUMBER}\}}_?\{{-{_NUMBER}\}})"
)
_ERROR_UNIT = r"(?:[^\S\n]?(?:arc[ -]?sec(?:onds?)?|sec(?:onds?)?|mas|s|\")(?!\w))?"
_ERROR = rf"(?:[^\S\n]?{_PLUS_MINUS}{_ERROR_UNIT})?"
_UNIT = r"(?:[^\S\n]?(?:degrees|deg|°)(?!\w))?"
_FRAME = r"(?:[^\S\n]?[(\[]?[^\S\n]?(?:J\s?2000(?:\.0)?|ICRS|FK5)(?!\w)[^\S\n]?[)\]]?)?"
_PARENTHESIS = r"(?:[^\S\n]?[(\[][^()\[\]]{0,80}[)\]])?"
_AGAIN = r"(?:[^\S\n]{0,4}=[^\S\n]{0,4}\d{1,3}\.\d{1,9}[^\S\n]{0,2}\(?deg\.?\)?)?"
"""The same in degrees, as UVOT's circulars have it: "13:09:48.10 = 197.45042 (deg.)"."""
_WORDED_ERROR = (
    r"(?P<raerror>[^\S\n]?[,(]?[^\S\n]?(?:[Ee]rr(?:or)?|[Uu]nc(?:ertainty)?)\.?[^\S\n]?[=:][^\S\n]?"
    rf"{_NUMBER}{_ERROR_UNIT})?"
)
_GAP = (
    rf"{_WORDED_ERROR}{_ERROR}{_UNIT}{_AGAIN}{_PARENTHESIS}{_FRAME}"
    r"[\s,;/|&.)\]]{0,8}(?:and\s{1,4}(?:the\s)?)?"
)
_BETWEEN = rf"{_ERROR}{_UNIT}(?:[\s]{{0,3}}[,;/&|][\s]{{0,3}}|\s{{1,4}})(?:and\s{{1,4}})?"
_TAIL = rf"(?P<error>{_ERROR}){_UNIT}"

_ANCHOR = re.compile(
    r"(?<![\w.\\^-])(?:R\.?[^\S\n]?A\.?(?=[^A-Z])|r\.a\.|[Rr]a(?=\W|_)|[Rr]ight[^\S\n][Aa]|RIGHT[^\S\n]A|[Aa]lpha"
    r"|RAJ|\d{1,2}[^\S\n]?h[^\S\n]{0,2}\d{1,2}[^\S\n]?m[^\S\n]{0,2}\d|\d{1,2}:\d{2}:\d{2}[.\s,]"
    r"|\(?l[^\S\n]?[,=]|\(\d{1,3}\.\d)"
)
_LABELLED = re.compile(
    rf"{_RA}{_NOTE}{_IS}{_OPEN}{RA_VALUE}{_GAP}{_DEC}{_NOTE}{_IS}{_OPEN}(?:(?P<gap>-)[^\S\n](?=\d))?"
    rf"{DEC_VALUE}{_TAIL}"
)
_BOTH_LABELLED = re.compile(
    rf"{_RA}{_NOTE}[^\S\n]{{0,2}}(?:[,/&]|and)?[^\S\n]{{0,2}}{_DEC}{_NOTE}[)\]]?{_NOTE}{_IS}{_OPEN}"
    rf"{RA_VALUE}{_BETWEEN}{DEC_VALUE}{_TAIL}"
)
_KEY = r"(?:_[A-Z]{2,10})?"
_VALUE_OF = r"(?:[^\S\n]{0,20}(?:[|=]|:(?=[^\S\n]))[^\S\n]{0,20}|\t{1,3}|[^\S\n]{2,20})"
_END_OF_LINE = (
    rf"{_ERROR}{_UNIT}[^\S\n]{{0,20}}"
    r"(?:[({\[][^\n]{0,60}|[|/,;](?:[^\n\d]|2000(?:\.0)?){0,40}|)[^\S\n]{0,9}"
)
_ERROR_LINES = r"(?P<lines>(?:\n[|\s]{0,9}(?:RA|R\.A\.)?[ _-]?(?:[Ee]rr|ERR|[Uu]nc|UNC)[^\n]{0,80}){0,2})"
_KEYED = re.compile(
    rf"{_RA}{_KEY}{_NOTE}{_VALUE_OF}{RA_VALUE}{_END_OF_LINE}{_ERROR_LINES}\n[^\S\n]{{0,9}}\|?[^\S\n]{{0,9}}"
    rf"{_DEC}{_KEY}{_NOTE}{_VALUE_OF}{DEC_VALUE}{_TAIL}(?P<rest>[^\n]{{0,80}})"
)
"""Two lines of a table of keys and values, between which lines with errors may stand."""
_START_OF_LINE = re.compile(r"[|\s*•-]{0,20}")
_BARE_PAIR = re.compile(
    r"\((?P<ra>\d{1,3}\.\d{1,12})[^\S\n]?(?P<raunit>degrees|deg|°|d)?[^\S\n]?,[^\S\n]?"
    r"(?P<sign>[+-]?)(?P<dec>\d{1,2}\.\d{1,12})[^\S\n]?(?P<decunit>degrees|deg|°|d)?[^\S\n]?(?=[,;)])(?P<error>)"
)
_DESIGNATION_BEFORE = re.compile(
    r"(?<![\w/-])(?:(?:AT|SN)[ _]?(?:19|20)\d\d[A-Za-z]{1,6}|(?:ZTF|ATLAS|GOTO|Gaia|PS|DES)\d\d[a-z]{1,9})"
    r"(?: at)?[^\S\n]?$"
)
_OTHER_PAIR = re.compile(
    r"\b(?:distances?|magnitudes?|mags?|[km]?pc|offsets?|colou?rs?|ind(?:ex|ices)|phases?|epochs?|days|flux\w*"
    r"|slopes?|velocit\w+|temperatures?|pixels?)\b",
    re.IGNORECASE,
)
_UNITS_ONLY = re.compile(rf"{RA_HMS}[\s,;/]{{0,4}}{DEC_DMS}(?P<error>)")
_COLONS_ONLY = re.compile(
    r"(?P<ch>\d{1,2}):(?P<cm>\d\d):(?P<cs>\d\d(?:\.\d{1,9})?)(?:[^\S\n]{0,3}[,/][^\S\n]{0,3}|[^\S\n]{1,8})"
    r"(?P<sign>[+-])(?P<cd>\d{1,2}):(?P<cdm>\d\d):(?P<cds>\d\d(?:\.\d{1,9})?)(?![\w:.-])(?P<error>)"
)
_GALACTIC = re.compile(
    r"\(?l(?P<both>[^\S\n]?,[^\S\n]?b\)?)?[^\S\n]?=[^\S\n]?\(?(?P<l>\d{1,3}\.\d{1,9})"
    r"[^\S\n]?(?:degrees|deg|°)?[\s,;]{1,4}(?(both)|b[^\S\n]?=[^\S\n]?)(?P<b>[+-]?\d{1,2}\.\d{1,9})(?![\w:]|\.\d)"
)
_OWN_ERRORS = re.compile(r"[(\[][^\S\n]?[+±-][^\S\n]?\d")
"""Errors of one coordinate: "77.43 (+1.14 / -0.65 deg 90% PSF containment)"."""
_IN_ARCSEC = re.compile(rf"{_PLUS_MINUS}[^\S\n]?(?:arcsec|mas|\")")
_FINE = 1e-3
"""The coarsest step, degrees, of numbers with an error in arc seconds: coarser ones are offsets too."""
_TIME_BEFORE = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ]|\b(?:UTC?|from|between|T0|until|times?|start\w*|end\w*)\W{0,3})$"
)
_POSITION_WORD = re.compile(
    r"J2000|ICRS|coordinates|position|located|R\.?A\b|transient|counterpart", re.IGNORECASE
)
_OTHER_FRAME = re.compile(
    r"[\s(,]{0,3}(?:B\s?1[89]\d\d|FK4|JNow|of date|apparent|galactic|ecliptic)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Found:
    """A pair of coordinates in a text."""

    written: WrittenPosition
    start: int
    end: int
    has_own_errors: bool
    """Its coordinates have errors of their own, which are no radius."""


def find_positions(text: str) -> tuple[ReportedPosition, ...]:
    """Return the positions of sources that a text reports, in their order, each once."""
    normal = normalize_text(text[:MAX_TEXT])
    rows, prose = find_tables(normal)
    found = [(offset, position) for offset, position in rows]
    found += _in_prose(prose)
    found.sort(key=lambda item: item[0])
    distinct: list[ReportedPosition] = []
    for _, position in found:
        _add(distinct, position)
        if len(distinct) == MAX_POSITIONS:
            break
    return tuple(distinct)


def _in_prose(text: str) -> list[tuple[int, ReportedPosition]]:
    matches = list(_pairs(text))
    positions: list[tuple[int, ReportedPosition]] = []
    previous: _Found | None = None
    for at, found in enumerate(matches):
        start = 0 if at == 0 else matches[at - 1].end
        stop = len(text) if at + 1 == len(matches) else matches[at + 1].start
        is_again = previous is not None and _is_equivalent(previous, found, text)
        # Words before a list ("corners at …, …") are about each of its positions.
        sentence = context_of(text, found.start, found.end, stop)
        if not is_again and (is_other_place(sentence.before) or is_unrelated(sentence)):
            previous = None
            continue
        own = sentence.before[-(found.start - start) :] if found.start > start else ""
        context = Context(own, sentence.after)
        part = own_part(
            context,
            is_second=at > 0 and len(sentence.before) >= found.start - start,
            is_followed=at + 1 < len(matches) and len(sentence.after) == stop - found.end,
        )
        position = _position(found, context, part)
        if is_again and positions:
            offset, earlier = positions[-1]
            positions[-1] = (offset, _completed(earlier, position))
            continue
        positions.append((found.start, position))
        previous = found
    return positions


def _pairs(text: str) -> Iterator[_Found]:
    """Yield the pairs of coordinates of a text, in their order, without overlaps."""
    end = pairs = 0
    for number, anchor in enumerate(_ANCHOR.finditer(text)):
        if number == _MAX_ANCHORS:
            return
        start = anchor.start()
        if start < end:
            continue
        found = _pair_at(text, start)
        if found is not None:
            yield found
            end = found.end
            pairs += 1
            if pairs == MAX_POSITIONS:
                return


def _pair_at(text: str, start: int) -> _Found | None:
    if text[start] in "l(":
        return _galactic_at(text, start) or _bare_pair_at(text, start)
    if not text[start].isdecimal():
        if (keyed := _keyed_at(text, start)) is not None:
            return keyed
        match = _LABELLED.match(text, start) or _BOTH_LABELLED.match(text, start)
        if match is None or (text[start] in "Aa" and not _is_surely_equatorial(match)):
            return None
        if match.groupdict().get("gap"):
            return None if match["sign"] else _found(match, negative=True)
        return _found(match)
    line_start = text.rfind("\n", 0, start) + 1
    before = text[max(line_start, start - 120) : start]
    # A row of a table without a header that names RA and Dec: it may list where a telescope looked.
    if before.count("|") > 1:
        return None
    match = _UNITS_ONLY.match(text, start)
    if match is not None:
        return _found(match)
    match = _COLONS_ONLY.match(text, start)
    if match is None or not ("." in match["cs"] or "." in match["cds"]):
        return None
    behind = text[match.end() : match.end() + 12]
    # Without a label it may be a time and a duration: "12:00:01.1 -01:12:33.2 hours".
    if has_unit(text, match.end()) or behind.lstrip().startswith("±") or _TIME_BEFORE.search(before):
        return None
    if not is_directly_behind_name(before) and _POSITION_WORD.search(f"{before} {behind}") is None:
        return None
    return _found(match)


def _keyed_at(text: str, start: int) -> _Found | None:
    line_start = text.rfind("\n", 0, start) + 1
    if start - line_start > 20 or _START_OF_LINE.fullmatch(text, line_start, start) is None:
        return None
    match = _KEYED.match(text, start)
    if match is None or (text[start] in "Aa" and not _is_surely_equatorial(match)):
        return None
    # A second number with a bar before it is another source's.
    if any(character.isdigit() for character in match["rest"].partition("|")[2].replace("2000", "")):
        return None
    return _found(match)


def _bare_pair_at(text: str, start: int) -> _Found | None:
    """Return the pair of numbers in parentheses behind a designation, if it hardly is anything else.

    "AT2023abc (17.4, 18.3)" may be magnitudes, offsets or a distance: the numbers have three decimals and
    more, or a unit, or a sign and a right ascension that is larger than such values are.
    """
    match = _BARE_PAIR.match(text, start)
    before = text[max(0, start - 120) : start]
    if match is None or _DESIGNATION_BEFORE.search(before[-40:]) is None:
        return None
    digits = min(len(match[name].partition(".")[2]) for name in ("ra", "dec"))
    has_units = match["raunit"] is not None or match["decunit"] is not None
    is_large = match["sign"] != "" and float(match["ra"]) >= _LARGE
    if not (has_units or digits > 2 or is_large):
        return None
    close = text.find(")", match.end(), match.end() + 60)
    behind = text[match.end() : match.end() + 60 if close < 0 else close]
    if _OTHER_PAIR.search(f"{before} {behind}") is not None:
        return None
    if (
        close >= 0
        and has_unit(text, close + 1)
        and not re.match(r"\s?(?:deg|°)", text[close + 1 : close + 6])
    ):
        return None
    return _found(match)


def _is_surely_equatorial(match: re.Match[str]) -> bool:
    """Return whether α and δ are coordinates and not, say, the indices of a spectrum."""
    groups = match.groupdict()
    return groups.get("ra") is None or bool(groups.get("raunit")) or "2000" in match[0] or "ICRS" in match[0]


def _found(match: re.Match[str], *, negative: bool = False) -> _Found | None:
    written = value_of(match)
    behind = match.string[match.end() : match.end() + 24]
    if written is None or _OTHER_FRAME.match(behind) is not None:
        return None
    if not written.is_sexagesimal and written.step > _FINE and _IN_ARCSEC.search(match[0]) is not None:
        return None
    if negative:
        written = dataclasses.replace(written, dec=-written.dec)
    groups = match.groupdict()
    own = bool(match["error"] or groups.get("raerror") or groups.get("lines"))
    own = own or "±" in match[0] or _OWN_ERRORS.search(f"{match[0]} {behind}") is not None
    return _Found(written, match.start(), match.end(), own)


def _galactic_at(text: str, start: int) -> _Found | None:
    match = _GALACTIC.match(text, start)
    if match is None:
        return None
    around = text[max(0, start - 80) : start] + text[match.end() : match.end() + 40]
    written = galactic_value(match["l"], match["b"])
    if written is None or "galactic" not in around.casefold():
        return None
    return _Found(written, start, match.end(), False)


def _position(found: _Found, context: Context, own: Context) -> ReportedPosition:
    said = properties_of(context, own)
    return ReportedPosition(
        ra=found.written.ra,
        dec=found.written.dec,
        name=name_behind(context.after) or name_before(context.before),
        radius=None if found.has_own_errors else said.radius,
        containment=None if found.has_own_errors else said.containment,
        redshift=said.redshift,
        redshift_error=said.redshift_error,
        distance=said.distance,
        distance_error=said.distance_error,
    )


def _is_equivalent(one: _Found, other: _Found, text: str) -> bool:
    """Return whether the second pair says the first again in another spelling."""
    between = text[one.end : other.start]
    if len(between) > 80 or _EQUIVALENT.search(between) is None:
        return False
    tolerance = max(_SAME, _STEPS * max(one.written.step, other.written.step))
    return _apart(one.written, other.written) <= tolerance


def _apart(one: WrittenPosition | ReportedPosition, other: WrittenPosition | ReportedPosition) -> float:
    return separation(one.ra, one.dec, other.ra, other.dec)


def _completed(earlier: ReportedPosition, again: ReportedPosition) -> ReportedPosition:
    """Return the earlier position with what only its repetition says of it."""
    fields = {
        field.name: getattr(again, field.name)
        for field in dataclasses.fields(earlier)
        if getattr(earlier, field.name) in (None, "")
    }
    return dataclasses.replace(earlier, **fields)


def _add(positions: list[ReportedPosition], new: ReportedPosition) -> None:
    for at, known in enumerate(positions):
        if abs(known.dec - new.dec) > _SAME or _apart(known, new) > _SAME:
            continue
        if not (known.name and new.name and known.name != new.name):
            positions[at] = _completed(known, new)
            return
    positions.append(new)
