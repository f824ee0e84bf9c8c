"""Cameras by name: the table `instruments.csv`, each with the source of its size, and a file of one's own.

A row's field is what its publication gives: an area or a size, hence a square or a circle; `approximation`
says which. Real detectors with their gaps come from the operator's file (`GWEVENT_INSTRUMENTS_FILE`): a JSON
object that has for each name the words of a field ("1.1deg circle") or polygons, corners [x, y] in degrees on
the plane that touches the sky at the field's centre, x to the east and y to the north; or an object with one
of them as "fov" or "polygons", and as "fields" a CSV file of the only centres that the camera may point at.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from bot.observing.fixed_fields import Centres, InvalidFields
from bot.observing.footprints import (
    EXAMPLES,
    FootprintProblem,
    UnknownFootprint,
    parse_footprint,
    polygon_footprint,
)
from bot.observing.observatories import join_with_or, normalized_name
from formatters.models.pointing import Footprint

NAME_MAX = 40
"""Characters of an instrument's name."""
MAX_FILE_BYTES = 2_000_000
MAX_INSTRUMENTS = 200

_MAX_SUGGESTIONS = 4
_MAX_NAMED = 25
"""Names that an answer lists."""
_MIN_BEGINNING = 3


class InvalidInstruments(ValueError):
    """A file of instruments that can't be used; the text says why, without a full stop."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A camera and its field of view."""

    footprint: Footprint
    """Its `words` are the instrument's name."""
    aliases: tuple[str, ...]
    approximation: str
    """The shape that stands for the real detectors; empty for those of the operator's file."""
    source: str
    """The publication or page that the size is from."""
    fixed_fields: Centres = ()
    """The centres that it may point at; empty if it points anywhere."""

    @property
    def name(self) -> str:
        """The name that answers show."""
        return self.footprint.words


class Instruments:
    """The instruments that people may name."""

    def __init__(self, own: Iterable[Instrument] = ()) -> None:
        """Take the table's instruments and `own` ones, which come before those of the same name."""
        self._by_key: dict[str, Instrument] = {}
        for instrument in (*own, *built_in()):
            for name in (instrument.name, *instrument.aliases):
                self._by_key.setdefault(normalized_name(name), instrument)

    @property
    def names(self) -> list[str]:
        """The names, each once: the operator's own first."""
        return list(dict.fromkeys(instrument.name for instrument in self._by_key.values()))

    def find(self, name: str) -> Instrument | None:
        """Return the instrument of this name, ignoring case, accents and signs; None if there is none."""
        return self._by_key.get(normalized_name(name))

    def fixed_fields(self, name: str) -> Centres:
        """Return the centres that the instrument of this name may point at; none for words like "47sqdeg"."""
        found = self.find(name) if normalized_name(name) else None
        return () if found is None else found.fixed_fields

    def parse(self, words: str) -> Footprint:
        """Return the field of view of an instrument's name, or of words like "2.2x2.2deg".

        Raises FootprintProblem, of which UnknownFootprint says what may be meant.
        """
        found = self.find(words) if normalized_name(words) else None
        if found is not None:
            return found.footprint
        try:
            return parse_footprint(words)
        except UnknownFootprint as problem:
            raise UnknownFootprint(self._unknown(words)) from problem

    def _unknown(self, words: str) -> str:
        shown = " ".join(words.split())[:40]
        if not any(character.isdigit() for character in words):
            similar = self._suggest(words)
            known = similar or self.names[:_MAX_NAMED]
            meant = f"did you mean {join_with_or(known)}?" if similar else f"I know {', '.join(known)}."
            return f'"{shown}" is no instrument that I know; {meant} A field of view is written {EXAMPLES}.'
        return f'"{shown}" is no field of view: write {EXAMPLES}, or an instrument such as ZTF.'

    def _suggest(self, name: str) -> list[str]:
        key = normalized_name(name)
        if not key:
            return []
        begin = [one for one in self._by_key if len(key) >= _MIN_BEGINNING and one.startswith(key)]
        close = difflib.get_close_matches(key, self._by_key, n=_MAX_SUGGESTIONS, cutoff=0.7)
        return list(dict.fromkeys(self._by_key[one].name for one in [*begin, *close]))[:_MAX_SUGGESTIONS]


@cache
def built_in() -> tuple[Instrument, ...]:
    """Return the instruments of the table in its order."""
    table = files("bot.observing").joinpath("instruments.csv").read_text("utf-8")
    return tuple(
        Instrument(
            footprint=replace(parse_footprint(row["fov"]), words=row["name"]),
            aliases=tuple(row["aliases"].split(";")) if row["aliases"] else (),
            approximation=row["approximation"],
            source=row["source"],
        )
        for row in csv.DictReader(io.StringIO(table))
    )


def parse_instruments(
    content: bytes, source: str, read_fields: Callable[[str], Centres]
) -> tuple[Instrument, ...]:
    """Return the instruments of the operator's file, which is called `source`.

    `read_fields` reads a file of fixed fields by its name, and raises InvalidFields. Raises
    InvalidInstruments.
    """
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInstruments(f"it is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    try:
        given = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidInstruments("it isn't JSON") from error
    if not isinstance(given, dict):
        raise InvalidInstruments('it isn\'t an object of names, as in {"MyCam": "2.2x2.2deg"}')
    if len(given) > MAX_INSTRUMENTS:
        raise InvalidInstruments(f"it has more than {MAX_INSTRUMENTS} instruments")
    return tuple(_instrument_from_json(name, value, source, read_fields) for name, value in given.items())


def _instrument_from_json(
    name: str, value: object, source: str, read_fields: Callable[[str], Centres]
) -> Instrument:
    plain = " ".join(name.split())
    if not normalized_name(plain) or len(plain) > NAME_MAX:
        raise InvalidInstruments(f"a name has 1 to {NAME_MAX} characters, with letters or digits among them")
    given = value if isinstance(value, dict) else {"fov" if isinstance(value, str) else "polygons": value}
    if unknown := given.keys() - {"fov", "polygons", "fields"}:
        raise InvalidInstruments(f'{plain}: "{min(unknown)[:40]}" is none of fov, polygons and fields')
    try:
        fields = _fields_from_json(given.get("fields"), read_fields)
        footprint = _footprint_from_json(given, plain)
    except (FootprintProblem, InvalidFields) as problem:
        raise InvalidInstruments(f"{plain}: {str(problem).rstrip('.')}") from problem
    return Instrument(footprint=footprint, aliases=(), approximation="", source=source, fixed_fields=fields)


def _footprint_from_json(given: Mapping[str, object], name: str) -> Footprint:
    """Return the field of view; that of the table where only the fields of such an instrument are given.

    Raises FootprintProblem.
    """
    if "fov" in given and "polygons" in given:
        raise FootprintProblem("It has both fov and polygons.")
    if not given.keys() & {"fov", "polygons"}:
        known = Instruments().find(name)
        if known is None:
            raise FootprintProblem("It has no fov and no polygons.")
        return replace(known.footprint, words=name)
    words = given.get("fov")
    if words is not None and not isinstance(words, str):
        raise FootprintProblem("Its fov are words such as 2.2x2.2deg.")
    if words is not None:
        return replace(parse_footprint(words), words=name)
    return polygon_footprint(_polygons_from_json(given.get("polygons")), name)


def _fields_from_json(file: object, read_fields: Callable[[str], Centres]) -> Centres:
    """Return the fixed fields of the file that is named, none without one. Raises InvalidFields."""
    if file is None:
        return ()
    if not isinstance(file, str) or not file.strip():
        raise InvalidFields("its fields are the name of a CSV file")
    return read_fields(file)


def _polygons_from_json(value: object) -> list[list[tuple[float, float]]]:
    """Return polygons from lists of lists of [x, y]; one polygon alone may lack the outer list.

    Raises FootprintProblem.
    """
    if not isinstance(value, list) or not value:
        raise FootprintProblem("It needs words such as 2.2x2.2deg, or polygons as lists of corners [x, y].")
    polygons = [value] if _is_corner(value[0]) else value
    if not all(isinstance(one, list) and all(map(_is_corner, one)) for one in polygons):
        raise FootprintProblem("A corner of a polygon is [x, y], two numbers in degrees.")
    return [[(float(x), float(y)) for x, y in polygon] for polygon in polygons]


def _is_corner(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in value)
    )
