"""Parsing of one line of `check`: [name] position [distance], and what else a line may carry.

The first position of a line counts. A number that nothing labels is never taken for a part of it, for a
distance, or for a part of a name: the person is asked, with the right spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.commands.labelled_values import NUMBER as _NUMBER
from bot.commands.labelled_values import extract_labelled_values, refuse_label_between
from bot.commands.typed_distances import MAX_DISTANCE_MPC, MAX_REDSHIFT, extract_distance
from bot.skymaps.coordinates import (
    EXAMPLE_POSITION,
    InvalidPosition,
    PositionMatch,
    UnrecognizedPosition,
    match_position,
)
from formatters.answers.position_check import SkyPosition
from formatters.blockkit.mrkdwn import NAME_MAX, plain_text
from formatters.text import quantities

NAMES_NOT_RESOLVED = f"names aren't resolved; give RA and Dec, like {EXAMPLE_POSITION}."
_SAME_PLACE = 0.05
"""Degrees within which two positions of a line are one place in two spellings."""
_SHOWN_NUMBERS = 3
_MAX_ROW_WORDS = 150
"""Words of one line; a row of TNS has some sixty."""
_TWO_POSITIONS = "There are two positions on this line: write one on each line."

_CATALOGUE_WORDS = """
    ngc ic m messier ugc ugca eso sn at grb frb tde pgc leda mrk mkn arp hd hip abell aco ddo mcg cgcg hcg vv
    zw kug iras pks 3c 4c psr ztf gaia des ep sdss 2mass 2masx wise 6df icecube
"""
CATALOGUES = frozenset(_CATALOGUE_WORDS.split())
"""Words before a number that make it a part of a name. After any other word the number is asked about."""
CATALOGUE_NUMBER = re.compile(r"\d{1,7}[A-Za-z]{0,4}|[+-]?\d{1,4}(?:-[A-Za-z]?\d{1,4}){1,2}")
_FILLER_WORDS = """
    a an and are around at @ check coordinate coordinates coords event for in inside is it near of on place
    please pos position sky superevent target the this to transient what within
"""
_FILLERS = frozenset(_FILLER_WORDS.split())
"""Words of a question that are no name."""
_HEMISPHERES = frozenset(("n", "s", "e", "w", "north", "south", "east", "west"))
_OTHER_UNIT = re.compile(
    rf"{_NUMBER}\s*(?:(?:deg(?:rees?)?|°|arcmin(?:utes?)?|arcsec(?:onds?)?|mas|['\"]{{1,2}})"
    r"|(?P<length>[kmg]?ly|[kmg]lyr|light[ -]?years?|au|km))(?![\w/])",
    re.IGNORECASE,
)
_WORD_START = re.compile(r"(?<![^\s,;])[^\s,;]")
_WORD = re.compile(r"[^\s,;]+")
_SEPARATORS = re.compile(r"\s*[,;][\s,;]*")
_STRONG = ";"
"""Ends a cell that surely is one: written for a tab, a bar, or the commas of a CSV line."""

_BARE_NUMBER = re.compile(rf"[~<>≈=^]*[+-]?{_NUMBER}[%°'\"]*", re.IGNORECASE)
_NUMBER_WITH_MORE = re.compile(r"[~<>≈=^]*[+-]?\.?\d|.*[=:<>≤≥≈~].*\d")
_NAME_FROM_DIGIT = re.compile(r"(?:19|20)\d\d[A-Za-z]{1,7}|\d{1,2}[A-Z]{2,}\S*|\d[A-Z]\+?-?\d+\S*")
"""Words that begin with a digit and are names: 2017gfo, 2MASX, 6dFGS, 3C273."""
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
_THOUSANDS = re.compile(r"(?<![\d,.])(\d{1,3}),(\d{3})(?:\.\d*)?(?=\s*[kmg]?pc\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """One position to check, and what of its line isn't used."""

    target: SkyPosition
    unused: tuple[str, ...] = ()
    """Labelled values and words that `check` has no use for: "19.5 mag", "± 5"."""
    asked: tuple[str, ...] = ()
    """Numbers beside a position that is certain, of which nothing says what they are."""


def parse_row(line: str) -> ParsedRow:
    """Parse a line, in normalized spelling and without the event's id. Raises InvalidPosition."""
    thousands = _THOUSANDS.search(line)
    if thousands is not None:
        whole = thousands[1] + thousands[2]
        readings = thousands[0].replace(",", "")
        if "." not in readings:
            readings = f"{whole} or {thousands[1]}.{thousands[2]}"
        raise InvalidPosition(f"“{thousands[0]}” has a comma: write {readings}.")
    with_points = " ".join(map(_with_decimal_point, line.split(" ")))
    if with_points == line:
        return _parse_with_separators(line)
    # A comma between two digits may be a decimal point or a separator.
    try:
        separated = _parse_with_separators(line)
    except InvalidPosition:
        separated = None
    try:
        _parse_with_separators(with_points)
    except InvalidPosition:
        if separated is not None:
            return separated
        raise
    raise InvalidPosition(
        f"A comma is no decimal point here: write {plain_text(with_points.strip(), NAME_MAX)}"
        " (and a blank after a comma that separates)."
    )


def _with_decimal_point(word: str) -> str:
    return _DECIMAL_COMMA.sub(".", word) if word.strip(",").count(",") == 1 else word


def _parse_with_separators(line: str) -> ParsedRow:
    text = split_cells(line)
    if len(_words(text)) > _MAX_ROW_WORDS:
        raise InvalidPosition("That line is too long for one position: write one on each line.")
    refuse_label_between(text)
    distance, text, errors = extract_distance(text)
    text, values = extract_labelled_values(text)
    text = _SEPARATORS.sub(lambda match: f" {_STRONG} " if _STRONG in match[0] else ", ", text)
    unused = [*errors, *values]
    found, name_words = _find_position(text)
    before, after = text[: found.start], text[found.end :]
    before_words, after_words = _words(before), _without_same_place(after, found)
    _refuse_hemisphere(after_words)
    asked = [
        *_unlabelled(before_words, name_words),
        *_unlabelled(after_words, _catalogue_words(" ".join(after_words))),
    ]
    if asked and not (found.is_certain and all(_is_apart(word, found) for word in asked)):
        raise InvalidPosition(_question(asked, text, found))
    name = _name([word for word in before_words if word not in asked])
    if found.is_designation:
        name = f"{name} {text[found.start : found.end]}".strip()
    rest = [word for word in after_words if word not in asked]
    if not name and any(character.isdigit() for word in rest for character in word):
        name = _name(rest)
    elif (words := _name(rest)) and not _is_small_talk(rest):
        unused.append(words)
    target = SkyPosition(
        ra=found.ra,
        dec=found.dec,
        distance=None if distance is None else distance.distance,
        redshift=None if distance is None else distance.redshift,
        modulus=None if distance is None else distance.modulus,
        galactic=found.galactic,
        name=name,
    )
    return ParsedRow(target, tuple(unused), tuple(asked))


def split_cells(line: str) -> str:
    """Return a line in which tabs, bars and the commas of a CSV line are marked as ends of cells."""
    text = re.sub(r"(?:^|(?<=[,;\t|]))\s*\"([^\",;\t|]*)\"\s*(?=[,;\t|]|$)", r"\1", line)
    text = re.sub(r"\"([A-Za-z_]\w*)\"", r"\1", text)
    text = re.sub(r"[()\[\]{}]", " ", text).lstrip("> ")
    is_csv = text.count(",") >= 2 and not re.search(r",\s", text.strip())
    text = re.sub(r"[\t|;]+", f" {_STRONG} ", text)
    text = text.replace(",", f" {_STRONG} ") if is_csv else text.replace(",", ", ")
    text = re.sub(r"\s+,", ",", text.replace("&", ", "))
    text = re.sub(r"(?:[\s,]*;[\s,]*)+", f" {_STRONG} ", text)
    return " ".join(text.split()).strip(" ,;")


def _find_position(text: str) -> tuple[PositionMatch, Sequence[str]]:
    """Return the position that counts, and the words before it whose numbers belong to a name or to it."""
    starts = [match.start() for match in _WORD_START.finditer(text)]
    certain = _first_certain(text, starts)
    if certain is not None:
        earlier = _first_pair(text[: certain.start], starts)
        if earlier is None:
            return certain, _catalogue_words(text[: certain.start])
        if not _is_same_place(earlier, certain):
            raise InvalidPosition(_TWO_POSITIONS)
        return certain, [
            *_catalogue_words(text[: earlier.start]),
            *_words(text[earlier.start : earlier.end]),
        ]
    skip_to = 0
    for number, start in enumerate(starts):
        if start < skip_to:
            continue
        named_to = _end_of_name(text, starts, number)
        if named_to is not None:
            following = next((s for s in starts if s >= named_to), None)
            found = None if following is None else match_position(text, following)
            if found is not None:
                return found, _words(text[: found.start])
            if _follows_catalogue(text, start):
                raise UnrecognizedPosition(_no_position_sentence(text))
        found = match_position(text, start)
        if found is not None:
            return found, _catalogue_words(text[: found.start])
    raise UnrecognizedPosition(_no_position_sentence(text))


def _first_certain(text: str, starts: Iterable[int]) -> PositionMatch | None:
    """Return the first position that its spelling alone marks as one. Raises InvalidPosition."""
    for start in starts:
        try:
            found = match_position(text, start)
        except InvalidPosition as error:
            if error.is_certain:
                raise
            continue
        if found is not None and found.is_certain:
            return found
    return None


def _first_pair(text: str, starts: Iterable[int]) -> PositionMatch | None:
    """Return the first two numbers of a text that may be a position."""
    for start in starts:
        if start >= len(text) or _follows_catalogue(text, start):
            continue
        try:
            found = match_position(text, start)
        except InvalidPosition:
            continue
        if found is not None:
            return found
    return None


def _is_same_place(one: PositionMatch, other: PositionMatch) -> bool:
    return quantities.separation(one.ra, one.dec, other.ra, other.dec) < _SAME_PLACE


def _end_of_name(text: str, starts: Sequence[int], number: int) -> int | None:
    """Return the end of the name that this word belongs to: after a catalogue's word, or in its cell."""
    start = starts[number]
    word = _word_at(text, start)
    if _follows_catalogue(text, start) and CATALOGUE_NUMBER.fullmatch(word):
        return start + len(word)
    cell_start = text.rfind(_STRONG, 0, start) + 1
    cell_end = text.find(_STRONG, start)
    before = text[cell_start:start]
    # A cell that begins with a word is a name up to its end.
    if cell_end >= 0 and before.strip()[:1].isalpha() and _LABEL_BEFORE.search(before) is None:
        return cell_end + 1
    return None


_LABEL_BEFORE = re.compile(
    r"(?:\b(?:ra|dec\w*|α|δ|alpha|delta|l|b|glon|glat|j2000|icrs|fk5|gal\w*)\b|[=:])", re.IGNORECASE
)


def _follows_catalogue(text: str, start: int) -> bool:
    before = text[:start].rstrip(" ")
    if before.endswith((",", _STRONG)):
        return False
    word = before.rpartition(" ")[2].strip(",;")
    return word.casefold() in CATALOGUES and word not in _FILLERS


def _catalogue_words(before: str) -> Sequence[str]:
    words = _words(before)
    return [
        word
        for at, word in enumerate(words)
        if at > 0
        and words[at - 1].casefold() in CATALOGUES
        and words[at - 1] not in _FILLERS
        and CATALOGUE_NUMBER.fullmatch(word)
    ]


def _word_at(text: str, start: int) -> str:
    match = _WORD.match(text, start)
    return "" if match is None else match[0].rstrip(":")


def _words(text: str) -> list[str]:
    return [word for word in (match[0].strip("?!:=.,") for match in _WORD.finditer(text)) if word]


def _without_same_place(after: str, found: PositionMatch) -> list[str]:
    """Return the words after the position without those that say the same place once more.

    Raises InvalidPosition where they say another one.
    """
    for match in _WORD_START.finditer(after):
        try:
            again = match_position(after, match.start())
        except InvalidPosition:
            continue
        between = _words(after[: match.start()])
        # Two bare numbers are the place again only where they follow it.
        if again is None or not (again.is_certain or (found.is_certain and not between)):
            continue
        if _is_same_place(found, again):
            return [*between, *_words(after[again.end :])]
        if found.is_designation or again.is_certain:
            raise InvalidPosition(_TWO_POSITIONS)
    return _words(after)


def _unlabelled(words: Iterable[str], name_words: Sequence[str]) -> Iterator[str]:
    """Yield the words that are numbers, or begin with one, and no name."""
    for word in words:
        if word in name_words or _NAME_FROM_DIGIT.fullmatch(word):
            continue
        if _BARE_NUMBER.fullmatch(word) or _NUMBER_WITH_MORE.match(word):
            yield word


def _refuse_hemisphere(after: Sequence[str]) -> None:
    """Raise InvalidPosition if a letter behind the position gives a direction: "10.96 S" isn't +10.96."""
    if after and after[0].casefold() in _HEMISPHERES:
        raise InvalidPosition(f"“{after[0]}” behind the position: write a southern declination with a minus.")


def _is_apart(word: str, found: PositionMatch) -> bool:
    """Return whether a number can't be the declination of a position that begins before it."""
    return _BARE_NUMBER.fullmatch(word) is not None and (found.has_sign or word[0] not in "+-")


def _question(asked: Sequence[str], text: str, found: PositionMatch) -> str:
    """Return the request to say what the numbers beside a position are."""
    unit = _OTHER_UNIT.search(f"{text[: found.start]} {text[found.end :]}")
    if unit is not None and asked[0] in unit[0]:
        shown = plain_text(unit[0], 40)
        if unit["length"]:
            return f"“{shown}” beside the position: write a distance like 40 Mpc or z=0.01."
        return f"“{shown}” beside the position: errors and radii aren't used here; leave it out."
    position = text[found.start : found.end].replace(",", " ").split()
    numbers = [plain_text(word, 20) for word in asked[:_SHOWN_NUMBERS]]
    said = " and ".join([*([", ".join(numbers[:-1])] if len(numbers) > 1 else []), numbers[-1]])
    spellings = " or ".join(number_spellings(asked[0]))
    if spellings:
        named = f", or name the position: ra={position[0]} dec={position[1]}" if len(position) == 2 else ""
        several = " Several positions: one on each line." if len(asked) > 1 else ""
        return (
            f"{said}: write {spellings} if it is a distance, mag={asked[0]} if a magnitude{named}.{several}"
        )
    if all(_BARE_NUMBER.fullmatch(word) for word in asked):
        every = [word for word in _words(text) if _BARE_NUMBER.fullmatch(word)]
        which = ", ".join(plain_text(word, 20) for word in every[: 2 * _SHOWN_NUMBERS])
        return f"Which of {which} are RA and Dec? Write ra=… dec=…, and a distance as z=0.01 or 40 Mpc."
    return f"“{said}” beside the position is no distance; write it like 40 Mpc or z=0.0098."


def number_spellings(word: str) -> list[str]:
    """Return the spellings as a distance of a number that nothing labels: ["z=0.04", "0.04 Mpc"]."""
    if re.fullmatch(_NUMBER, word, re.IGNORECASE) is None:
        return []
    value = float(word)
    return [
        *([f"z={word}"] if 0 < value <= MAX_REDSHIFT else []),
        *([f"{word} Mpc"] if 0 < value <= MAX_DISTANCE_MPC else []),
    ]


def _is_small_talk(words: Iterable[str]) -> bool:
    return all(word in _FILLERS for word in words)


def _name(words: Sequence[str]) -> str:
    kept = list(words)
    while kept and kept[0] in _FILLERS:
        del kept[0]
    while kept and kept[-1] in _FILLERS:
        del kept[-1]
    return " ".join(kept).strip(",:;= ")


def _no_position_sentence(text: str) -> str:
    name = _name(_words(text))
    if not any(character.isalpha() for character in name):
        return f"That is no position; write it like {EXAMPLE_POSITION}."
    return f"“{plain_text(name, NAME_MAX)}” is no position: {NAMES_NOT_RESOLVED}"
