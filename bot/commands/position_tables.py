"""Tables pasted after `check`: the header says which column is RA, Dec, name, redshift and distance."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.commands.position_rows import CATALOGUE_NUMBER, CATALOGUES, ParsedRow
from bot.commands.typed_distances import extract_distance
from bot.skymaps.coordinates import EXAMPLE_POSITION, InvalidPosition, UnrecognizedPosition, match_position
from formatters.answers.position_check import SkyPosition
from formatters.blockkit.mrkdwn import plain_text

_FRAME_WORDS = r"(?:j?2000|icrs|fk5|deg(?:rees?)?|d|hms|dms|sexa?|mean|obj|h(?:ours?)?|j)*"
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("ra", rf"(?:obj|target|mean|s|source|gaia)?(?:ra|rightascension|alpha|α){_FRAME_WORDS}"),
        ("dec", rf"(?:obj|target|mean|s|source|gaia)?(?:decl?|de|declination|delta|δ){_FRAME_WORDS}"),
        ("l", r"(?:l|glon|lii|gall?on(?:gitude)?|galacticlongitude)(?:deg)?"),
        ("b", r"(?:b|glat|bii|gall?at(?:itude)?|galacticlatitude)(?:deg)?"),
        ("name", r"(?:tns|obj(?:ect)?|target|source|candidate|transient|iau)?(?:name|designation)"),
        (
            "id",
            r"(?:object|target|source|candidate|transient|obj)?(?:id|object|target|source|candidate|transient)?",
        ),
        ("z", r"(?:z|redshift|zspec|zphot|zbest|zhel(?:io)?|zcmb|specz|photz)"),
        ("hostz", r"host(?:z|redshift)"),
        ("distance", r"(?:d|dl|dist(?:ance)?|lum(?:inosity)?dist(?:ance)?)"),
        ("modulus", r"(?:dm|mu|μ|distmod|distancemodulus|modulus)"),
    )
)
_OTHER_FRAME = re.compile(r"b\s?1[89]\d\d|fk4", re.IGNORECASE)
_UNIT = re.compile(r"[kmg]?pc", re.IGNORECASE)
_ABSENT = frozenset({"", "-", "--", "—", "nan", "none", "null", "n/a", "na", "?", "...", "…", "unknown"})
_DECIMAL_COMMA = re.compile(r"\d,\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The header of a table: where its columns are, and how its rows are split."""

    delimiter: str
    """A tab, a bar, a comma, a semicolon, or a blank for columns parted by blanks."""
    names: tuple[str, ...]
    """The columns' names as they were written."""
    columns: Mapping[str, int]
    """Indices of the columns by kind: "ra", "dec", "l", "b", "name", "z" …"""

    @property
    def used_names(self) -> str:
        """The names of the columns that are used, in their order."""
        return ", ".join(self.names[at] for at in sorted(self.columns.values()))


def parse_header(line: str) -> Table | None:
    """Return the table whose header a line is, None if it is none. Raises InvalidPosition for B1950."""
    delimiter = next((sign for sign in "\t|;," if sign in line), " ")
    names = _cells(re.sub(r"[ ]+(?=[(\[])", "", line), delimiter)
    columns: dict[str, int] = {}
    for at, name in enumerate(names):
        kind = _column_kind(name)
        if kind is not None:
            columns.setdefault(kind, at)
    is_table = {"ra", "dec"} <= set(columns) or ({"l", "b"} <= set(columns) and len(names) > 2)
    if not is_table or any(re.fullmatch(r"[+-]?[\d.:]+", name) for name in names):
        return None
    if _OTHER_FRAME.search(line):
        raise InvalidPosition("Positions in B1950 aren't converted; give RA and Dec in ICRS (J2000).")
    if "ra" in columns:
        columns = {kind: at for kind, at in columns.items() if kind not in ("l", "b")}
    if "name" in columns:
        columns.pop("id", None)
    return Table(delimiter=delimiter, names=tuple(names), columns=columns)


def _column_kind(name: str) -> str | None:
    plain = re.sub(r"\(.*?\)|\[.*?\]|[^\w]|_", "", name).casefold()
    unit = _UNIT.search(name.replace(plain, ""))
    if unit is not None:
        plain = _UNIT.sub("", plain) or plain
    return next((kind for kind, pattern in _KINDS if plain and pattern.fullmatch(plain)), None)


def is_ruling(line: str) -> bool:
    """Return whether a line only rules a table off: "|---|---|"."""
    return re.fullmatch(r"[\s|:+=-]+", line) is not None


def parse_table_row(table: Table, line: str) -> ParsedRow | None:
    """Parse a row by its header; None where its columns aren't the header's. Raises InvalidPosition."""
    cells = split_row(table, line)
    if len(cells) != len(table.names):
        return None
    values = {kind: cells[at] for kind, at in table.columns.items()}
    for cell in values.values():
        if _DECIMAL_COMMA.search(cell) and table.delimiter != ",":
            raise InvalidPosition(
                f"A comma is no decimal point here: write {_DECIMAL_COMMA.sub(_point, cell)}."
            )
    ra, dec, galactic = _position(table, values)
    redshift = next((values[kind] for kind in ("z", "hostz") if not _is_absent(values.get(kind, ""))), None)
    typed = []
    if not _is_absent(values.get("distance", "")):
        unit = _UNIT.search(table.names[table.columns["distance"]])
        cell = values["distance"]
        typed.append(cell if _UNIT.search(cell) else f"{cell} {unit[0] if unit else ''}")
    elif not _is_absent(values.get("modulus", "")):
        typed.append(f"dm={values['modulus']}")
    elif redshift is not None:
        typed.append(f"z={redshift}")
    distance, left, unused = extract_distance(" ".join(typed))
    if left.strip(" ,"):
        raise InvalidPosition(
            f"“{plain_text(left.strip(' ,'), 20)}” is no distance; write it like 40 Mpc or z=0.0098."
        )
    target = SkyPosition(
        ra=ra,
        dec=dec,
        galactic=galactic,
        distance=None if distance is None else distance.distance,
        redshift=None if distance is None else distance.redshift,
        modulus=None if distance is None else distance.modulus,
        name=values.get("name", values.get("id", "")),
    )
    return ParsedRow(target, unused)


def split_row(table: Table, line: str) -> Sequence[str]:
    """Return the cells of a row in the order of the columns; a line that is no row has another number."""
    cells = _cells(line, table.delimiter)
    return _with_joined_names(cells) if table.delimiter == " " else cells


def _with_joined_names(words: Sequence[str]) -> list[str]:
    """Join the words of a name that has a number, as in "NGC 4993"."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].casefold() in CATALOGUES and CATALOGUE_NUMBER.fullmatch(word):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    return joined


def _point(match: re.Match[str]) -> str:
    return match[0].replace(",", ".")


def _is_absent(cell: str) -> bool:
    return cell.strip().casefold() in _ABSENT


def _position(table: Table, values: Mapping[str, str]) -> tuple[float, float, tuple[float, float] | None]:
    first, second = ("ra", "dec") if "ra" in table.columns else ("l", "b")
    missing = [table.names[table.columns[kind]] for kind in (first, second) if _is_absent(values[kind])]
    if missing:
        raise UnrecognizedPosition(f"It has no {' and no '.join(missing)}.")
    one, two = values[first].strip(), values[second].strip()
    header = table.names[table.columns[first]]
    if re.search(r"[(\[_ ](?:h|hrs?|hours?)\b|hours?\b", header, re.IGNORECASE) and re.fullmatch(
        r"[\d.]+", one
    ):
        one = f"{one}h"
    text = f"{first}={one}, {second}={two}"
    found = match_position(text)
    if found is None or found.end < len(text):
        raise UnrecognizedPosition(f"That is no position; write it like {EXAMPLE_POSITION}.")
    return found.ra, found.dec, found.galactic


def _cells(line: str, delimiter: str) -> Sequence[str]:
    if delimiter == " ":
        return line.split()
    if delimiter in ",;" and '"' in line:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    else:
        cells = line.split(delimiter)
    cells = [cell.strip() for cell in cells]
    if delimiter == "|":
        # A table in Markdown has a bar at both ends.
        cells = cells[not cells[0] : len(cells) - (not cells[-1])]
    return cells
