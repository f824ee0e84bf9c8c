"""Fields that people paste: a line each, or a table with a header, as `check` reads positions. Pure.

A table may say more of each field: when it was exposed, in which band, how deep, at which position angle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.commands.errors import CommandError
from bot.commands.observe_times import parse_time
from bot.commands.observe_values import BRIGHTEST, FAINTEST
from bot.commands.position_rows import ParsedRow, parse_row
from bot.commands.position_tables import Table, is_ruling, parse_header, parse_table_row, split_row
from bot.skymaps.coordinates import InvalidPosition, PositionMatch, match_position
from formatters.blockkit.mrkdwn import NAME_MAX, plain_text
from formatters.models.observation import MAX_FIELDS, ObservedField
from formatters.text import quantities

_COLUMNS = {
    "time": re.compile(
        r"(?:obs(?:ervation)?|exp(?:osure)?|start|begin|date|time|utc?|t)*(?:time|date|utc?|obs|start|mjd|jd|begin)"
        r"(?:utc?|start|obs|mid|iso)?|mjd(?:obs|start|mid)?|t0"
    ),
    "band": re.compile(r"band(?:pass)?|filters?|filt|fid"),
    "depth": re.compile(
        r"(?:lim(?:iting)?|mag)*(?:mag(?:nitude)?|depth|lim(?:it)?)|maglim(?:it)?|diffmaglim|m5|m5s"
    ),
    "angle": re.compile(r"pa|posang(?:le)?|positionangle|rot(?:ation|ator|sky(?:pos)?)?|roll|angle"),
}
_ISO_IN_LINE = re.compile(
    r"(?<![\w.-])\d{4}-\d{2}-\d{2}[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?\s?(?:Z|UTC?)?(?![\w:])",
    re.IGNORECASE,
)
_CLOCKS = re.compile(r"\d{1,2}:\d{2}\s?-\s?\d{1,2}:\d{2}(?![\d:.])", re.ASCII)
_START = re.compile(r"(?<![^\s,;])[^\s,;]")
_SHOWN_PROBLEMS = 3
_COLUMN_MAX = 30
"""Characters of a column's name that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """A pasted field, with what its line says of it."""

    field: ObservedField
    band: str | None = None
    depth: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedFields:
    """Fields in the order in which they were pasted."""

    rows: tuple[FieldRow, ...]
    notes: tuple[str, ...] = ()
    """Sentences about lines that are left out and columns that are used; not escaped."""


def parse_fields(lines: Sequence[str]) -> PastedFields:
    """Parse lines of fields. Raises CommandError if none of them is one, or there are too many."""
    lines = [line for line in lines if line.strip(" \t,;|")]
    if len(lines) > MAX_FIELDS + 1:
        raise CommandError(f"An observation has at most {MAX_FIELDS} fields: report the rest by itself.")
    try:
        table = parse_header(lines[0]) if len(lines) > 1 else None
    except InvalidPosition as error:
        raise CommandError(str(error)) from error
    columns = {} if table is None else dict(_other_columns(table))
    rows: list[FieldRow] = []
    problems: list[str] = []
    unused: dict[str, None] = {}
    for line in lines if table is None else lines[1:]:
        if is_ruling(line):
            continue
        try:
            row, left = _parse_line(line, table, columns)
        except InvalidPosition as error:
            problems.append(f"Left out “{plain_text(' '.join(line.split()), NAME_MAX)}”: {error}")
            continue
        rows.append(row)
        unused |= dict.fromkeys(left)
    if not rows:
        raise CommandError(problems[0] if problems else "There is no field among these lines.")
    if len(rows) > MAX_FIELDS:
        raise CommandError(f"An observation has at most {MAX_FIELDS} fields: report the rest by itself.")
    notes = problems[:_SHOWN_PROBLEMS]
    if len(problems) > _SHOWN_PROBLEMS:
        more = quantities.pluralize(len(problems) - _SHOWN_PROBLEMS, "more line is", "more lines are")
        notes.append(f"{more} left out.")
    if table is not None:
        used = sorted({*table.columns.items(), *columns.items()}, key=lambda pair: pair[1])
        names = [table.names[at] for kind, at in used if kind in _USED]
        notes.append(f"Columns used: {plain_text(', '.join(names), NAME_MAX)}.")
    elif unused:
        notes.append(f"Not used: {plain_text(', '.join(list(unused)[:5]), NAME_MAX)}.")
    return PastedFields(rows=tuple(rows), notes=tuple(notes))


_USED = frozenset(("ra", "dec", "l", "b", "name", "id", *_COLUMNS))


def take_positions(text: str) -> tuple[tuple[ObservedField, ...], str]:
    """Return the positions within one line of words, and the words without them.

    Only what is surely a position counts: with colons or units, or as two decimal numbers of which the second
    has a sign. Raises CommandError for one that is out of range or in a frame that isn't converted.
    """
    fields: list[ObservedField] = []
    kept: list[str] = []
    end = 0
    for start in _START.finditer(text):
        if start.start() < end:
            continue
        try:
            found = match_position(text, start.start())
        except InvalidPosition as error:
            if error.is_certain:
                raise CommandError(str(error)) from error
            continue
        if found is None or not _is_sure(found, text):
            continue
        if (range_ := _CLOCKS.match(text, found.start)) is not None:
            raise CommandError(
                f"“{range_[0]}”: times, or a position? Write at {range_[0]} UTC, or its seconds too."
            )
        fields.append(ObservedField(ra=found.ra, dec=found.dec))
        kept.append(text[end : start.start()])
        end = found.end
    return tuple(fields), " ".join([*kept, text[end:]]).strip()


def _is_sure(found: PositionMatch, text: str) -> bool:
    if found.is_certain:
        return True
    return found.has_sign and text[found.start : found.end].count(".") >= 2


def _parse_line(line: str, table: Table | None, columns: dict[str, int]) -> tuple[FieldRow, tuple[str, ...]]:
    """Return a line's field, and what of the line isn't used. Raises InvalidPosition."""
    row = None if table is None else parse_table_row(table, line)
    if table is not None and row is not None:
        return _from_table(table, line, row, columns), ()
    time = None
    if (written := _ISO_IN_LINE.search(line)) is not None:
        time = parse_time(written[0])
        line = f"{line[: written.start()]} {line[written.end() :]}"
    row = parse_row(line)
    field = ObservedField(ra=row.target.ra, dec=row.target.dec, time=time)
    return FieldRow(field=field), (*row.unused, *row.asked)


def _from_table(table: Table, line: str, row: ParsedRow, columns: dict[str, int]) -> FieldRow:
    """Raises InvalidPosition."""
    cells = split_row(table, line)
    given = {kind: cells[at].strip().strip("\"'") for kind, at in columns.items()}
    time = None
    if given.get("time"):
        time = parse_time(given["time"])
        if time is None:
            raise InvalidPosition(
                f"“{plain_text(given['time'], 30)}” is no time; write it like 2026-11-28T03:20Z."
            )
    angle = _number(given.get("angle", ""), -360, 360, "position angle")
    depth = _number(given.get("depth", ""), BRIGHTEST, FAINTEST, "limiting magnitude")
    field = ObservedField(
        ra=row.target.ra, dec=row.target.dec, time=time, position_angle=0.0 if angle is None else angle % 360
    )
    return FieldRow(field=field, band=given.get("band") or None, depth=depth)


def _number(cell: str, least: float, most: float, what: str) -> float | None:
    """Return a cell's number, None for an empty one. Raises InvalidPosition."""
    if cell.casefold() in ("", "-", "--", "nan", "none", "null", "n/a"):
        return None
    if not re.fullmatch(r"[<>~=]?[+-]?\d{1,3}(?:\.\d{1,8})?", cell, re.ASCII):
        raise InvalidPosition(f"“{plain_text(cell, 20)}” is no {what}.")
    number = float(cell.lstrip("<>~="))
    if not least <= number <= most:
        raise InvalidPosition(
            f"“{plain_text(cell, 20)}” is no {what}: it isn't between {least:g} and {most:g}."
        )
    return number


def _other_columns(table: Table) -> Iterator[tuple[str, int]]:
    """Yield the columns that say more of a field, the first of each kind."""
    taken = set(table.columns.values())
    seen: set[str] = set()
    for at, name in enumerate(table.names):
        plain = re.sub(r"\(.*?\)|\[.*?\]|[^\w]|_", "", name).casefold()[:_COLUMN_MAX]
        for kind, pattern in _COLUMNS.items():
            if at not in taken and kind not in seen and plain and pattern.fullmatch(plain):
                seen.add(kind)
                yield kind, at
                break
