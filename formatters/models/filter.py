"""A filter: what a notice must say to be of interest. Its nodes, its canonical text, its words.

Nodes are immutable and compose with `&`, `|` and `~`; `bot.filters` reads them from what people type and
judges notices by them. The canonical text reads back to an equal filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from formatters.models.notice import CLASSES, PROPERTIES
from formatters.models.units import MONTH, YEAR

DEFAULT_MIN_PROBABILITY = 0.5
"""What a class or property without a number must reach."""
DEFAULT_MIN_MAP_PROBABILITY = 0.1
"""What a position or site without a number must exceed: less is hardly worth a telescope's night."""


class Op(StrEnum):
    """How a number is compared."""

    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    EQ = "="


class Filter:
    """A condition, or a composition of conditions."""

    __slots__ = ()

    def __and__(self, other: Filter) -> Filter:
        return _compose(And, self, other)

    def __or__(self, other: Filter) -> Filter:
        return _compose(Or, self, other)

    def __invert__(self) -> Filter:
        return Not(self)

    @property
    def canonical(self) -> str:
        """The canonical text, as one would type it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class And(Filter):
    """All of at least two, none of which is an And itself; made by `&`."""

    parts: tuple[Filter, ...]

    @property
    def canonical(self) -> str:
        """Juxtaposed: "BNS distance<300"."""
        return " ".join(
            f"({part.canonical})" if isinstance(part, Or) else part.canonical for part in self.parts
        )


@dataclass(frozen=True, slots=True)
class Or(Filter):
    """One of at least two, none of which is an Or itself; made by `|`."""

    parts: tuple[Filter, ...]

    @property
    def canonical(self) -> str:
        """Joined by "or"; the parentheses are for people."""
        return " or ".join(
            f"({part.canonical})" if isinstance(part, And) else part.canonical for part in self.parts
        )


@dataclass(frozen=True, slots=True)
class Not(Filter):
    """The opposite; what is unknown stays unknown. Made by `~`, so never of a Not."""

    part: Filter

    def __invert__(self) -> Filter:
        return self.part

    @property
    def canonical(self) -> str:
        """As in "not V1"."""
        return (
            f"not ({self.part.canonical})"
            if isinstance(self.part, And | Or)
            else f"not {self.part.canonical}"
        )


Field = Literal["group", "search", "pipeline", "type"]
FIELDS: tuple[Field, ...] = ("group", "search", "pipeline", "type")


@dataclass(frozen=True, slots=True)
class FieldIn(Filter):
    """Group, search, pipeline or alert type is one of these names, in any case."""

    field: Field
    values: tuple[str, ...]
    """At least one."""

    @property
    def canonical(self) -> str:
        """As in "search=SSM", "type=INITIAL|UPDATE"; the groups everybody knows stand alone: "CBC"."""
        if self.field == "group" and self.values in (("CBC",), ("Burst",)):
            return self.values[0]
        return f"{self.field}={'|'.join(self.values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number that a notice may state."""

    unit: Literal["", "probability", "deg²", "Mpc"]


QUANTITIES: Mapping[str, Quantity] = {
    **{name: Quantity(unit="probability") for name in CLASSES + PROPERTIES},
    "NS": Quantity(unit="probability"),
    "remnant": Quantity(unit="probability"),
    "area50": Quantity(unit="deg²"),
    "area90": Quantity(unit="deg²"),
    "distance": Quantity(unit="Mpc"),
    "instruments": Quantity(unit=""),
}
"""What a `Compare` may compare, by the name that stands in the text."""


@dataclass(frozen=True, slots=True)
class Compare(Filter):
    """A quantity compared with a number: probabilities 0 to 1, areas in deg², distances in Mpc."""

    quantity: str
    """One of QUANTITIES."""
    op: Op
    value: float

    @property
    def canonical(self) -> str:
        """As in "distance<300"; a probability of 0.5 or more is the bare name: "BNS"."""
        if self.is_implicit:
            return self.quantity
        return self.explicit_text

    @property
    def explicit_text(self) -> str:
        """As in "BNS>=0.5"."""
        return f"{self.quantity}{self.op}{format_number(self.value)}"

    @property
    def is_implicit(self) -> bool:
        """Whether the name alone says it."""
        probable = QUANTITIES[self.quantity].unit == "probability"
        return probable and self.op is Op.GE and self.value == DEFAULT_MIN_PROBABILITY


SECONDS_PER_UNIT = {
    "h": 3_600.0,
    "day": 86_400.0,
    "week": 7 * 86_400.0,
    "month": MONTH,
    "yr": YEAR,
}
"""How long the units of a false-alarm rate are, s."""


@dataclass(frozen=True, slots=True)
class FarCompare(Filter):
    """The false-alarm rate compared: `count` per `per` units, or `count` Hz where `unit` is "Hz".

    Where only a coincidence makes an alert significant, its joint FAR counts.
    """

    op: Op
    count: float
    per: float = 1.0
    unit: str = "Hz"
    """"Hz", or one of SECONDS."""

    @property
    def hertz(self) -> float:
        """The limit in Hz."""
        return self.count if self.unit == "Hz" else self.count / (self.per * SECONDS_PER_UNIT[self.unit])

    @property
    def canonical(self) -> str:
        """As in "far<1/yr", "far<1/100yr", "far<1e-8"."""
        if self.unit == "Hz":
            return f"far{self.op}{format_number(self.count)}"
        per = "" if self.per == 1 else format_number(self.per)
        return f"far{self.op}{format_number(self.count)}/{per}{self.unit}"


@dataclass(frozen=True, slots=True)
class Detector(Filter):
    """A detector's data went into the candidate."""

    name: str
    """As LVK abbreviates it: "V1"."""

    @property
    def canonical(self) -> str:
        """The name."""
        return self.name


@dataclass(frozen=True, slots=True)
class External(Filter):
    """A coincidence with an external event."""

    @property
    def canonical(self) -> str:
        """The word."""
        return "external"


@dataclass(frozen=True, slots=True)
class ConeQuery:
    """A circle on the sky, ICRS, all in degrees with at most six decimals (4 mas)."""

    ra: float
    dec: float
    radius: float


@dataclass(frozen=True, slots=True)
class SiteQuery:
    """A place on Earth, by its canonical name."""

    name: str


MapQuery = ConeQuery | SiteQuery
"""What is asked of a sky map; the answer is a share of its probability."""


@dataclass(frozen=True, slots=True)
class Near(Filter):
    """The share of the map's probability inside a cone, compared."""

    cone: ConeQuery
    op: Op = Op.GT
    probability: float = DEFAULT_MIN_MAP_PROBABILITY

    @property
    def map_query(self) -> MapQuery:
        """What the map is asked."""
        return self.cone

    @property
    def canonical(self) -> str:
        """As in "near 197.45 -23.381389 5deg>0.1"."""
        ra, dec, radius = map(format_degrees, (self.cone.ra, self.cone.dec, self.cone.radius))
        return f"near {ra} {dec} {radius}deg{self.op}{format_number(self.probability)}"


@dataclass(frozen=True, slots=True)
class VisibleFrom(Filter):
    """The share of the map's probability that a site can observe tonight, compared."""

    site: SiteQuery
    op: Op = Op.GT
    probability: float = DEFAULT_MIN_MAP_PROBABILITY

    @property
    def map_query(self) -> MapQuery:
        """What the map is asked."""
        return self.site

    @property
    def canonical(self) -> str:
        """As in "visible from Palomar>0.1"; a name of several words stands in quotes."""
        simple = self.site.name.replace("-", "").replace(".", "").replace("_", "").isalnum()
        name = self.site.name if simple else f'"{self.site.name}"'
        return f"visible from {name}{self.op}{format_number(self.probability)}"


Condition = FieldIn | Compare | FarCompare | Detector | External | Near | VisibleFrom
MapCondition = Near | VisibleFrom


def conditions(filter_: Filter) -> Iterator[Condition]:
    """All conditions of a filter, in the order of its text."""
    match filter_:
        case And(parts) | Or(parts):
            for part in parts:
                yield from conditions(part)
        case Not(part):
            yield from conditions(part)
        case FieldIn() | Compare() | FarCompare() | Detector() | External() | Near() | VisibleFrom():
            yield filter_


def map_queries(filter_: Filter | None) -> frozenset[MapQuery]:
    """What the filter asks of the map."""
    if filter_ is None:
        return frozenset()
    return frozenset(c.map_query for c in conditions(filter_) if isinstance(c, Near | VisibleFrom))


def format_number(value: float) -> str:
    """A number as one would type it, every digit kept: "300", "0.1", "1e-08"."""
    text = repr(float(value))
    return text.removesuffix(".0")


def format_degrees(value: float) -> str:
    """An angle as one would type it, without an exponent: "197.45", "-0.000001"."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _compose(kind: type[And] | type[Or], *filters: Filter) -> Filter:
    """One flat composition; what stands in it twice says nothing more than once."""
    parts: dict[Filter, None] = {}
    for one in filters:
        parts.update(dict.fromkeys(one.parts if isinstance(one, kind) else (one,)))
    return kind(tuple(parts)) if len(parts) > 1 else next(iter(parts))
