"""Filters: expression trees that select notices, and their canonical text.

Nodes are immutable and combine with `&`, `|` and `~`. `bot.filters` parses them from typed text and evaluates
them on notices. Parsing the canonical text gives an equal filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from formatters.models.notice import CLASSES, PROPERTIES
from formatters.models.units import MONTH, YEAR

DEFAULT_MIN_PROBABILITY = 0.5
"""Threshold (inclusive) of a class or property that is given without a number."""
DEFAULT_MIN_MAP_PROBABILITY = 0.1
"""Threshold (exclusive) of a position or site without a number; less is rarely worth observing."""


class Op(StrEnum):
    """A comparison operator."""

    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    EQ = "="


class Filter:
    """A condition, or a combination of conditions."""

    __slots__ = ()

    def __and__(self, other: Filter) -> Filter:
        return _compose(And, self, other)

    def __or__(self, other: Filter) -> Filter:
        return _compose(Or, self, other)

    def __invert__(self) -> Filter:
        return Not(self)

    @property
    def canonical(self) -> str:
        """The canonical text, in the syntax that people type."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class And(Filter):
    """A conjunction of at least two filters, none of which is an And itself; created by `&`."""

    parts: tuple[Filter, ...]

    @property
    def canonical(self) -> str:
        """The parts next to each other: "BNS distance<300"."""
        return " ".join(
            f"({part.canonical})" if isinstance(part, Or) else part.canonical for part in self.parts
        )


@dataclass(frozen=True, slots=True)
class Or(Filter):
    """A disjunction of at least two filters, none of which is an Or itself; created by `|`."""

    parts: tuple[Filter, ...]

    @property
    def canonical(self) -> str:
        """The parts joined by "or"; an And is put in parentheses for readability."""
        return " or ".join(
            f"({part.canonical})" if isinstance(part, And) else part.canonical for part in self.parts
        )


@dataclass(frozen=True, slots=True)
class Not(Filter):
    """A negation, which leaves "unknown" unknown. It is created by `~`, so it never contains a Not."""

    part: Filter

    def __invert__(self) -> Filter:
        return self.part

    @property
    def canonical(self) -> str:
        """The part after "not": "not V1"."""
        return (
            f"not ({self.part.canonical})"
            if isinstance(self.part, And | Or)
            else f"not {self.part.canonical}"
        )


Field = Literal["group", "search", "pipeline", "type", "observatory"]
FIELDS: tuple[Field, ...] = ("group", "search", "pipeline", "type", "observatory")
"""Text fields; "observatory" is that of a coincidence, of which a notice may have several."""


@dataclass(frozen=True, slots=True)
class FieldIn(Filter):
    """A condition that a text field equals one of the given values, ignoring case.

    Of "observatory", which may have several values, one suffices.
    """

    field: Field
    values: tuple[str, ...]
    """Accepted values; at least one."""

    @property
    def canonical(self) -> str:
        """The field and its values: "search=SSM", "type=INITIAL|UPDATE"; groups alone: "CBC", "Burst"."""
        if self.field == "group" and self.values in (("CBC",), ("Burst",)):
            return self.values[0]
        return f"{self.field}={'|'.join(self.values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number that a notice may contain."""

    unit: Literal["", "probability", "deg²", "Mpc", "redshift", "Msun"]


QUANTITIES: Mapping[str, Quantity] = {
    **{name: Quantity(unit="probability") for name in CLASSES + PROPERTIES},
    "NS": Quantity(unit="probability"),
    "remnant": Quantity(unit="probability"),
    "area50": Quantity(unit="deg²"),
    "area90": Quantity(unit="deg²"),
    "distance": Quantity(unit="Mpc"),
    "z": Quantity(unit="redshift"),
    "mchirp": Quantity(unit="Msun"),
    "instruments": Quantity(unit=""),
}
"""The quantities that a `Compare` may compare, by their names in the canonical text."""


@dataclass(frozen=True, slots=True)
class Compare(Filter):
    """A comparison of a quantity with a number: probabilities 0 to 1, areas in deg², distances in Mpc.

    "z" is the redshift of the mean luminosity distance (Planck18), "mchirp" the median source-frame chirp
    mass in solar masses.
    """

    quantity: str
    """A key of QUANTITIES."""
    op: Op
    value: float

    @property
    def canonical(self) -> str:
        """The comparison: "distance<300"; if `is_implicit`, only the name: "BNS"."""
        if self.is_implicit:
            return self.quantity
        return self.explicit_text

    @property
    def explicit_text(self) -> str:
        """The comparison with operator and number, even if the name alone would do: "BNS>=0.5"."""
        return f"{self.quantity}{self.op}{format_number(self.value)}"

    @property
    def is_implicit(self) -> bool:
        """True if the name alone expresses the comparison: a probability of at least the default."""
        probable = QUANTITIES[self.quantity].unit == "probability"
        return probable and self.op is Op.GE and self.value == DEFAULT_MIN_PROBABILITY


SECONDS_PER_UNIT = {
    "h": 3_600.0,
    "day": 86_400.0,
    "week": 7 * 86_400.0,
    "month": MONTH,
    "yr": YEAR,
}
"""Length of the time units of a false-alarm rate, in seconds."""


@dataclass(frozen=True, slots=True)
class FarCompare(Filter):
    """A comparison of the FAR with `count` per `per` units, or with `count` Hz if `unit` is "Hz".

    If an alert is significant only because of a coincidence, its joint FAR is compared.
    """

    op: Op
    count: float
    per: float = 1.0
    unit: str = "Hz"
    """"Hz", or a key of SECONDS_PER_UNIT."""

    @property
    def hertz(self) -> float:
        """The limit in Hz."""
        return self.count if self.unit == "Hz" else self.count / (self.per * SECONDS_PER_UNIT[self.unit])

    @property
    def canonical(self) -> str:
        """The comparison in its own unit: "far<1/yr", "far<1/100yr", "far<1e-8"."""
        if self.unit == "Hz":
            return f"far{self.op}{format_number(self.count)}"
        per = "" if self.per == 1 else format_number(self.per)
        return f"far{self.op}{format_number(self.count)}/{per}{self.unit}"


@dataclass(frozen=True, slots=True)
class Detector(Filter):
    """A condition that the data of a detector were used for the candidate."""

    name: str
    """LVK's abbreviation: "V1"."""

    @property
    def canonical(self) -> str:
        """The detector's name: "V1"."""
        return self.name


@dataclass(frozen=True, slots=True)
class External(Filter):
    """A condition that the notice names a coincidence with an external event."""

    @property
    def canonical(self) -> str:
        """The keyword "external"."""
        return "external"


@dataclass(frozen=True, slots=True)
class Significant(Filter):
    """A condition that LVK flags the event as significant."""

    @property
    def canonical(self) -> str:
        """The keyword "significant"."""
        return "significant"


@dataclass(frozen=True, slots=True)
class ConeQuery:
    """A circle on the sky: centre (ICRS) and radius in degrees, with at most six decimals (4 mas)."""

    ra: float
    dec: float
    radius: float


@dataclass(frozen=True, slots=True)
class SiteQuery:
    """An observing site, identified by its canonical name."""

    name: str


MapQuery = ConeQuery | SiteQuery
"""A query about a sky map; its result is a probability, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Near(Filter):
    """A comparison of the map's probability inside a cone with a number from 0 to 1."""

    cone: ConeQuery
    op: Op = Op.GT
    probability: float = DEFAULT_MIN_MAP_PROBABILITY

    @property
    def map_query(self) -> MapQuery:
        """The cone as a query about the map."""
        return self.cone

    @property
    def canonical(self) -> str:
        """The cone and its comparison: "near 197.45 -23.381389 5deg>0.1"."""
        ra, dec, radius = map(format_degrees, (self.cone.ra, self.cone.dec, self.cone.radius))
        return f"near {ra} {dec} {radius}deg{self.op}{format_number(self.probability)}"


@dataclass(frozen=True, slots=True)
class VisibleFrom(Filter):
    """A comparison of the map's probability that a site can observe in this night or the next with a number.

    It is the higher of both nights' probabilities, 0 to 1.
    """

    site: SiteQuery
    op: Op = Op.GT
    probability: float = DEFAULT_MIN_MAP_PROBABILITY

    @property
    def map_query(self) -> MapQuery:
        """The site as a query about the map."""
        return self.site

    @property
    def canonical(self) -> str:
        """The site and its comparison: "visible from Palomar>0.1"; names with spaces are quoted."""
        simple = self.site.name.replace("-", "").replace(".", "").replace("_", "").isalnum()
        name = self.site.name if simple else f'"{self.site.name}"'
        return f"visible from {name}{self.op}{format_number(self.probability)}"


Condition = FieldIn | Compare | FarCompare | Detector | External | Significant | Near | VisibleFrom
MapCondition = Near | VisibleFrom


def conditions(filter_: Filter) -> Iterator[Condition]:
    """Yield all conditions of a filter in the order of its canonical text."""
    match filter_:
        case And(parts) | Or(parts):
            for part in parts:
                yield from conditions(part)
        case Not(part):
            yield from conditions(part)
        case (
            FieldIn()
            | Compare()
            | FarCompare()
            | Detector()
            | External()
            | Significant()
            | Near()
            | VisibleFrom()
        ):
            yield filter_


def map_queries(filter_: Filter | None) -> frozenset[MapQuery]:
    """Return the queries that the filter needs from the sky map; empty for None."""
    if filter_ is None:
        return frozenset()
    return frozenset(c.map_query for c in conditions(filter_) if isinstance(c, Near | VisibleFrom))


def format_number(value: float) -> str:
    """Return a number in the syntax that people type, with every digit: "300", "0.1", "1e-08"."""
    text = repr(float(value))
    return text.removesuffix(".0")


def format_degrees(value: float) -> str:
    """Return an angle in degrees without an exponent, rounded to six decimals: "197.45", "-0.000001"."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _compose(kind: type[And] | type[Or], *filters: Filter) -> Filter:
    """Combine filters into one flat And or Or without duplicates; return a single filter unchanged."""
    parts: dict[Filter, None] = {}
    for one in filters:
        parts.update(dict.fromkeys(one.parts if isinstance(one, kind) else (one,)))
    return kind(tuple(parts)) if len(parts) > 1 else next(iter(parts))
