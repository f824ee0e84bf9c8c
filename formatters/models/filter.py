"""A filter: what a notice must say to be of interest. Its nodes, its canonical text, its words.

Nodes are immutable and compose with `&`, `|` and `~`; `bot.filters` reads them from what people type and
judges notices by them. The canonical text reads back to an equal filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from formatters.blockkit.mrkdwn import replace_nbsp
from formatters.text import quantities, vocabulary

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

    @property
    def sentence(self) -> str:
        """The same in a sentence, after "with": "BNS of 50 % or more and a mean distance below 300 Mpc"."""
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

    @property
    def sentence(self) -> str:
        """Joined by "and"."""
        return " and ".join(
            f"({part.sentence})" if isinstance(part, Or) else part.sentence for part in self.parts
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

    @property
    def sentence(self) -> str:
        """Joined by "or"."""
        return " or ".join(
            f"({part.sentence})" if isinstance(part, And) else part.sentence for part in self.parts
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

    @property
    def sentence(self) -> str:
        """As in "V1 not among the detectors", "not (BNS above 50 % and a mean distance below 300 Mpc)"."""
        match self.part:
            case Detector(name):
                return f"{name} not among the detectors"
            case External():
                return "no coincidence with an external event"
            case FieldIn():
                return f"another {self.part.sentence.replace(' ', ' than ', 1)}"
        return f"not ({self.part.sentence})"


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

    @property
    def sentence(self) -> str:
        """As in "type INITIAL or UPDATE"."""
        values = map(vocabulary.alert_type_label, self.values) if self.field == "type" else self.values
        return f"{self.field} {' or '.join(values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number that a notice may state."""

    phrase: str
    unit: Literal["", "probability", "deg²", "Mpc"]


_CLASSES = {
    name: Quantity(phrase=name, unit="probability") for name in vocabulary.CLASSES + vocabulary.PROPERTIES
}
QUANTITIES: Mapping[str, Quantity] = {
    **_CLASSES,
    "NS": Quantity(phrase="BNS + NSBH", unit="probability"),
    "remnant": Quantity(phrase="HasRemnant × (1 − Terrestrial)", unit="probability"),
    "area50": Quantity(phrase="a 50 % area", unit="deg²"),
    "area90": Quantity(phrase="a 90 % area", unit="deg²"),
    "distance": Quantity(phrase="a mean distance", unit="Mpc"),
    "instruments": Quantity(phrase="instruments", unit=""),
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

    @property
    def sentence(self) -> str:
        """As in "BNS of 50 % or more", "a mean distance below 300 Mpc", "2 instruments or more"."""
        quantity = QUANTITIES[self.quantity]
        match quantity.unit:
            case "":
                return comparison_phrase(
                    self.op, f"{format_number(self.value)} {quantity.phrase}", "exactly "
                )
            case "probability":
                value = f"{format_number(float(f'{self.value * 100:.6g}'))}{quantities.NBSP}%"
            case unit:
                value = f"{format_number(self.value)}{quantities.NBSP}{unit}"
        between = " of " if self.op in (Op.GE, Op.LE, Op.EQ) else " "
        return f"{quantity.phrase}{between}{comparison_phrase(self.op, value)}"


SECONDS_PER_UNIT = {
    "h": 3_600.0,
    "day": 86_400.0,
    "week": 7 * 86_400.0,
    "month": quantities.MONTH,
    "yr": quantities.YEAR,
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

    @property
    def sentence(self) -> str:
        """As in "a FAR below 1 per yr (the joint FAR where only a coincidence makes it significant)"."""
        if self.unit == "Hz":
            rate = f"{format_number(self.count)}{quantities.NBSP}Hz"
        else:
            per = "" if self.per == 1 else f"{format_number(self.per)}{quantities.NBSP}"
            rate = f"{format_number(self.count)} per {per}{self.unit}"
        said = comparison_phrase(self.op, rate)
        return f"a FAR {said} (the joint FAR where only a coincidence makes it significant)"


@dataclass(frozen=True, slots=True)
class Detector(Filter):
    """A detector's data went into the candidate."""

    name: str
    """As LVK abbreviates it: "V1"."""

    @property
    def canonical(self) -> str:
        """The name."""
        return self.name

    @property
    def sentence(self) -> str:
        """As in "V1 among the detectors"."""
        return f"{self.name} among the detectors"


@dataclass(frozen=True, slots=True)
class External(Filter):
    """A coincidence with an external event."""

    @property
    def canonical(self) -> str:
        """The word."""
        return "external"

    @property
    def sentence(self) -> str:
        """What it means."""
        return "a coincidence with an external event"


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

    @property
    def sentence(self) -> str:
        """As in "more than 10 % of the probability within 5° of 13h10m −23.4°"."""
        place = quantities.position(self.cone.ra, self.cone.dec)
        return f"{_probability_phrase(self.op, self.probability)} within {format_degrees(self.cone.radius)}° of {place}"


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

    @property
    def sentence(self) -> str:
        """As in "more than 10 % of the probability observable tonight from Palomar"."""
        return f"{_probability_phrase(self.op, self.probability)} observable tonight from {self.site.name}"


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


def comparison_phrase(op: Op, value: str, exactly: str = "") -> str:
    """A comparison in words: "below 300 Mpc", "2 instruments or more"."""
    match op:
        case Op.LT:
            return f"below {value}" if not exactly else f"fewer than {value}"
        case Op.LE:
            return f"{value} or less" if not exactly else f"{value} or fewer"
        case Op.GT:
            return f"above {value}" if not exactly else f"more than {value}"
        case Op.GE:
            return f"{value} or more"
        case Op.EQ:
            return f"{exactly or 'exactly '}{value}"


def _probability_phrase(op: Op, share: float) -> str:
    percent = f"{format_number(float(f'{share * 100:.6g}'))}{quantities.NBSP}%"
    match op:
        case Op.GT:
            said = f"more than {percent}"
        case Op.LT:
            said = f"less than {percent}"
        case _:
            said = comparison_phrase(op, percent)
    return f"{said} of the probability"


def _compose(kind: type[And] | type[Or], *filters: Filter) -> Filter:
    """One flat composition; what stands in it twice says nothing more than once."""
    parts: dict[Filter, None] = {}
    for one in filters:
        parts.update(dict.fromkeys(one.parts if isinstance(one, kind) else (one,)))
    return kind(tuple(parts)) if len(parts) > 1 else next(iter(parts))


def plain_sentence(filter_: Filter) -> str:
    """The filter's words for a line of plain text."""
    return replace_nbsp(filter_.sentence)
