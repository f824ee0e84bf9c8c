"""Parsing of the question after `check`: an event's id anywhere, and positions, a line each or a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.commands.position_rows import ParsedRow, number_spellings, parse_row
from bot.commands.position_tables import Table, is_ruling, parse_header, parse_table_row
from bot.filters import FilterSyntaxError
from bot.filters.limits import MAX_LIST_LENGTH
from bot.runtime.typed_text import normalize_typed_text
from bot.skymaps.coordinates import EXAMPLE_POSITION, InvalidPosition
from formatters.answers.position_check import MAX_POSITIONS, SkyPosition
from formatters.blockkit.mrkdwn import NAME_MAX, plain_text
from formatters.models.notice import canonical_id, folded_id

NO_NONSTANDARD_IDS: Mapping[str, str] = {}
_USAGE = f"Say a position: check {EXAMPLE_POSITION} [40 Mpc or z=0.0098] [S190425z]."
_AROUND_ID = ",;:()[]{}?!.\"'"
_WORD = re.compile(r"[^\s,;|]+")
_FILLERS_OF_ID = re.compile(r"\b(?:in|on|of|for|at|event|superevent|is)\s*$|@\s*$", re.IGNORECASE)
_ASKED_ABOUT_MAX = 5


@dataclass(frozen=True, slots=True)
class PositionQuery:
    """A parsed question."""

    targets: tuple[SkyPosition, ...]
    superevent_id: str | None
    omitted: tuple[str, ...]
    """Sentences about lines that are left out, and about what of a line isn't used."""


def parse_query(text: str, nonstandard_ids: Mapping[str, str] = NO_NONSTANDARD_IDS) -> PositionQuery:
    """Parse a question: a position on each line, optionally with a name before it and a distance after it.

    The event's id may stand on any line, or on its own. The first line may be a table's header.
    `nonstandard_ids` maps words, folded, to ids that don't have LVK's form. Raises FilterSyntaxError.
    """
    if len(text) > MAX_LIST_LENGTH:
        raise FilterSyntaxError(f"That is too long; one question has room for {MAX_POSITIONS} positions.")
    known = {normalize_typed_text(word): found for word, found in nonstandard_ids.items()}
    ids: dict[str, None] = {}
    lines: list[str] = []
    for line in normalize_typed_text(text).split("\n"):
        rest, found = _split_ids(line, known)
        ids |= dict.fromkeys(found)
        if rest.strip(" \t,;|"):
            lines.append(rest)
    if len(ids) > 1:
        raise FilterSyntaxError(f"One event at a time, please, not {' and '.join(list(ids)[:3])}.")
    rows, omitted = _parse_lines(lines)
    if not rows:
        raise FilterSyntaxError(omitted[0] if omitted else _USAGE)
    notes = [*omitted, *_notes(rows)]
    if len(rows) > MAX_POSITIONS:
        notes.insert(
            0, f"These are the first {MAX_POSITIONS} of {len(rows)} positions; ask again for the rest."
        )
    targets = tuple(row.target for row in rows[:MAX_POSITIONS])
    return PositionQuery(targets, next(iter(ids), None), tuple(notes))


def _parse_lines(lines: list[str]) -> tuple[list[ParsedRow], list[str]]:
    """Return the rows, and a sentence for each line that is none and for a header."""
    rows: list[ParsedRow] = []
    omitted: list[str] = []
    table: Table | None = None
    try:
        table = parse_header(lines[0]) if len(lines) > 1 else None
    except InvalidPosition as error:
        raise FilterSyntaxError(str(error)) from error
    for line in lines if table is None else lines[1:]:
        if is_ruling(line):
            continue
        try:
            row = None if table is None else parse_table_row(table, line)
            rows.append(parse_row(line) if row is None else row)
        except InvalidPosition as error:
            if len(lines) == 1:
                raise FilterSyntaxError(str(error)) from error
            omitted.append(f"Left out “{plain_text(' '.join(line.split()), NAME_MAX)}”: {error}")
    if table is not None and rows:
        omitted.append(f"Columns used: {plain_text(table.used_names, NAME_MAX)}.")
    return rows, omitted


def _split_ids(line: str, nonstandard_ids: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a line without the events' ids and the preposition before each, and the ids."""
    found: list[str] = []
    kept: list[str] = []
    end = 0
    for match in _WORD.finditer(line):
        word = match[0].strip(_AROUND_ID).removeprefix("@")
        name = canonical_id(word) or nonstandard_ids.get(folded_id(word))
        if name is None:
            continue
        found.append(name)
        kept.append(_FILLERS_OF_ID.sub("", line[end : match.start()]))
        end = match.end()
    return "".join([*kept, line[end:]]), found


def _notes(rows: list[ParsedRow]) -> list[str]:
    """Return sentences about numbers that nothing labels, and about values that aren't used."""
    notes = []
    asked = [(word, row.target.name) for row in rows for word in row.asked]
    if asked:
        shown = ", ".join(
            plain_text(f"{word} ({name})" if name and len(rows) > 1 else word, NAME_MAX)
            for word, name in asked[:_ASKED_ABOUT_MAX]
        )
        more = f" and {len(asked) - _ASKED_ABOUT_MAX} more" if len(asked) > _ASKED_ABOUT_MAX else ""
        spellings = next(filter(None, (number_spellings(word) for word, _ in asked)), ["z=0.01", "40 Mpc"])
        notes.append(
            f"Not used, since nothing says what it is: {shown}{more}. A distance is written"
            f" {' or '.join(spellings)}."
        )
    unused = list(dict.fromkeys(word for row in rows for word in row.unused))
    if unused:
        shown = ", ".join(plain_text(word, NAME_MAX) for word in unused[:_ASKED_ABOUT_MAX])
        more = " …" if len(unused) > _ASKED_ABOUT_MAX else ""
        notes.append(f"Not used: {shown}{more}.")
    return notes
