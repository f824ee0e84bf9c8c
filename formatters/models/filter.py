"""Filters: expression trees that select notices, and their canonical text.

Nodes are immutable and combine with `&`, `|` and `~`. `bot.filters` parses them from typed text and evaluates
them on notices. Parsing the canonical text gives an equal filter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from formatters.models.quantity import QUANTITIES
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
        return all_of(self, other)

    def __or__(self, other: Filter) -> Filter:
        return _compose(Or, (self, other))

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
    hertz: float = field(init=False, repr=False, compare=False)
    """The limit in Hz."""

    def __post_init__(self) -> None:
        # Computed once: a notice is compared with the limits of thousands of channels.
        seconds = 1.0 if self.unit == "Hz" else self.per * SECONDS_PER_UNIT[self.unit]
        object.__setattr__(self, "hertz", self.count / seconds)

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


@dataclass(frozen=True, slots=True)
class DistanceQuery:
    """A luminosity distance in Mpc; the result is the probability that the source is nearer."""

    limit: float


@dataclass(frozen=True, slots=True)
class GradeQuery:
    """A question to a criteria set that judges sky maps: 1 if the event's grade compares so, 0 if not."""

    slug: str
    op: Op
    grade: str | None
    """None asks whether there is any grade; then `op` is GE."""


MapQuery = ConeQuery | SiteQuery | DistanceQuery | GradeQuery
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


@dataclass(frozen=True, slots=True)
class Within(Filter):
    """A comparison of the probability that the source is nearer than a distance with a number from 0 to 1.

    It is integrated along every line of sight of the sky map.
    """

    query: DistanceQuery
    op: Op = Op.GT
    probability: float = DEFAULT_MIN_PROBABILITY

    @property
    def map_query(self) -> MapQuery:
        """The distance as a query about the map."""
        return self.query

    @property
    def canonical(self) -> str:
        """The distance and its comparison: "within 200Mpc>0.5"."""
        return f"within {format_number(self.query.limit)}Mpc{self.op}{format_number(self.probability)}"


@dataclass(frozen=True, slots=True)
class MassProbability(Filter):
    """A comparison of the probability of a range of chirp masses (M☉, source frame) with a number, 0 to 1.

    Only LVK's bins that lie whole inside the range are summed, so a bound between bin edges counts less.
    """

    low: float
    """0 for no lower bound."""
    high: float | None
    """None for no upper bound."""
    op: Op
    probability: float

    @property
    def canonical(self) -> str:
        """The range and its comparison: "mchirp<2.3>0.9", "mchirp>=22>0.9", "mchirp 2.3..5.5>0.9"."""
        limit = f"{self.op}{format_number(self.probability)}"
        if self.high is None:
            return f"mchirp>={format_number(self.low)}{limit}"
        if self.low == 0:
            return f"mchirp<{format_number(self.high)}{limit}"
        return f"mchirp {format_number(self.low)}..{format_number(self.high)}{limit}"


@dataclass(frozen=True, slots=True)
class GradeCondition(Filter):
    """A comparison of the grade that a criteria set gives with one of its grades.

    Parsed text names the set only; `bot.criteria.resolution` adds the set's definition, which is the
    workspace's own. Without it the condition is unknown.
    """

    slug: str
    op: Op = Op.GE
    grade: str | None = None
    """None asks for any grade; then `op` is GE."""
    definition: Filter | GradeQuery | None = None
    """The same condition as a filter, or as a query for a set that judges the INITIAL's sky map."""

    @property
    def canonical(self) -> str:
        """The set, and the comparison unless any grade will do: "grade ntt-kilonova>=Silver"."""
        if self.grade is None:
            return f"grade {self.slug}"
        grade = f'"{self.grade}"' if " " in self.grade else self.grade
        return f"grade {self.slug}{self.op}{grade}"


Condition = (
    FieldIn
    | Compare
    | FarCompare
    | Detector
    | External
    | Significant
    | Near
    | VisibleFrom
    | Within
    | MassProbability
    | GradeCondition
)
MapCondition = Near | VisibleFrom | Within


def conditions(filter_: Filter) -> Iterator[Condition]:
    """Yield all conditions of a filter in the order of its canonical text."""
    if isinstance(filter_, (And, Or)):
        for part in filter_.parts:
            yield from conditions(part)
    elif isinstance(filter_, Not):
        yield from conditions(filter_.part)
    elif isinstance(filter_, Condition):
        yield filter_


def map_queries(filter_: Filter | None) -> frozenset[MapQuery]:
    """Return the queries that the filter needs from the sky map; empty for None."""
    if filter_ is None:
        return frozenset()
    found: set[MapQuery] = set()
    for condition in conditions(filter_):
        if isinstance(condition, Near | VisibleFrom | Within):
            found.add(condition.map_query)
        elif isinstance(condition, GradeCondition):
            definition = condition.definition
            found |= {definition} if isinstance(definition, GradeQuery) else map_queries(definition)
    return frozenset(found)


def format_number(value: float) -> str:
    """Return a number in the syntax that people type, with every digit: "300", "0.1", "1e-08"."""
    text = repr(float(value))
    return text.removesuffix(".0")


def format_degrees(value: float) -> str:
    """Return an angle in degrees without an exponent, rounded to six decimals: "197.45", "-0.000001"."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def all_of(*filters: Filter) -> Filter:
    """Return the conjunction of filters, of which there is at least one; `&` makes it of two."""
    return _compose(And, filters)


def _compose(kind: type[And] | type[Or], filters: tuple[Filter, ...]) -> Filter:
    """Combine filters into one flat And or Or without duplicates; return a single filter unchanged."""
    if len(filters) == 1:
        return filters[0]
    parts: dict[Filter, None] = {}
    for one in filters:
        if isinstance(one, kind):
            parts.update(dict.fromkeys(one.parts))
        else:
            parts[one] = None
    return kind(tuple(parts)) if len(parts) > 1 else next(iter(parts))
