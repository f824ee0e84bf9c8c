"""Filters as plain English phrases: not escaped, no mark-up."""

from __future__ import annotations

from formatters.models.filter import (
    And,
    Compare,
    Detector,
    External,
    FarCompare,
    FieldIn,
    Filter,
    GradeCondition,
    MassProbability,
    Near,
    Not,
    Op,
    Or,
    Significant,
    VisibleFrom,
    Within,
    format_degrees,
    format_number,
)
from formatters.models.quantity import QUANTITIES
from formatters.text import quantities, vocabulary

_PHRASES = {
    "NS": "BNS + NSBH",
    "remnant": "HasRemnant × (1 − Terrestrial)",
    "area50": "a 50 % area",
    "area90": "a 90 % area",
    "distance": "a mean distance",
    "z": "a redshift (from the mean distance, Planck18)",
    "mchirp": "a median source-frame chirp mass",
}
"""Names of quantities in a sentence; classes, properties and "instruments" keep their own names."""


def filter_sentence(filter_: Filter) -> str:
    """Return the filter as the end of a sentence after "with".

    For example "BNS of 50 % or more and a mean distance below 300 Mpc".
    """
    match filter_:
        case And(parts):
            return " and ".join(_in_parentheses(part, Or) for part in parts)
        case Or(parts):
            return " or ".join(_in_parentheses(part, And) for part in parts)
        case Not(part):
            return _negated(part)
        case FieldIn("observatory", values):
            return f"a coincidence with {' or '.join(values)}"
        case FieldIn(field, values):
            labels = map(vocabulary.alert_type_label, values) if field == "type" else values
            return f"{field} {' or '.join(labels)}"
        case Compare():
            return _comparison(filter_)
        case FarCompare():
            return _far_comparison(filter_)
        case Detector(name):
            return f"{name} among the detectors"
        case External():
            return "a coincidence with an external event"
        case Significant():
            return "LVK's flag “significant”"
        case Near(cone, op, probability):
            position = quantities.position(cone.ra, cone.dec)
            share = _probability_phrase(op, probability)
            return f"{share} within {format_degrees(cone.radius)}° of {position}"
        case VisibleFrom(site, op, probability):
            share = _probability_phrase(op, probability)
            return f"{share} observable from {site.name} in the night of the notice or the next"
        case Within(query, op, probability):
            share = _probability_phrase(op, probability)
            return f"{share} nearer than {format_number(query.limit)}{quantities.NBSP}Mpc"
        case MassProbability():
            return _mass_range(filter_)
        case GradeCondition():
            return _grade_phrase(filter_)
    raise TypeError(f"{type(filter_).__name__} is no kind of filter that has a sentence.")


def _in_parentheses(part: Filter, kind: type[And] | type[Or]) -> str:
    sentence = filter_sentence(part)
    return f"({sentence})" if isinstance(part, kind) else sentence


def _negated(part: Filter) -> str:
    match part:
        case Detector(name):
            return f"{name} not among the detectors"
        case External():
            return "no coincidence with an external event"
        case Significant():
            return "no flag “significant” by LVK"
        case FieldIn("observatory", values):
            return f"no coincidence with {' or '.join(values)}"
        case FieldIn():
            return f"another {filter_sentence(part).replace(' ', ' than ', 1)}"
        case GradeCondition(slug, _, None):
            return f"no grade of {slug}"
    return f"not ({filter_sentence(part)})"


def _mass_range(found: MassProbability) -> str:
    """Return a range of masses with its probability: "a chirp mass below 2.3 M☉ with more than 90 %"."""
    unit = f"{quantities.NBSP}M☉"
    if found.high is None:
        which = f"of {format_number(found.low)}{unit} or more"
    elif found.low == 0:
        which = f"below {format_number(found.high)}{unit}"
    else:
        which = f"from {format_number(found.low)} to {format_number(found.high)}{unit}"
    return f"a source-frame chirp mass {which} with {_share_phrase(found.op, found.probability)}"


def _grade_phrase(found: GradeCondition) -> str:
    """Return a comparison of grades: "grade Silver or better of ntt-kilonova"."""
    if found.grade is None:
        return f"any grade of {found.slug}"
    match found.op:
        case Op.GE:
            which = f"grade {found.grade} or better"
        case Op.GT:
            which = f"a grade better than {found.grade}"
        case Op.LE:
            which = f"grade {found.grade} or worse"
        case Op.LT:
            which = f"a grade worse than {found.grade}"
        case Op.EQ:
            which = f"grade {found.grade}"
    return f"{which} of {found.slug}"


def _comparison(compare: Compare) -> str:
    phrase = _PHRASES.get(compare.quantity, compare.quantity)
    match QUANTITIES[compare.quantity].unit:
        case "":
            return _count_phrase(compare.op, f"{format_number(compare.value)} {phrase}")
        case "probability":
            value = _percent(compare.value)
        case "redshift":
            value = format_number(compare.value)
        case unit:
            shown = {"Msun": "M☉"}.get(unit, unit)
            value = f"{format_number(compare.value)}{quantities.NBSP}{shown}"
    between = " of " if compare.op in (Op.GE, Op.LE, Op.EQ) else " "
    return f"{phrase}{between}{_comparison_phrase(compare.op, value)}"


def _far_comparison(compare: FarCompare) -> str:
    if compare.unit == "Hz":
        rate = f"{format_number(compare.count)}{quantities.NBSP}Hz"
    else:
        per = "" if compare.per == 1 else f"{format_number(compare.per)}{quantities.NBSP}"
        plural = "s" if compare.per != 1 and compare.unit in {"day", "week", "month"} else ""
        rate = f"{format_number(compare.count)} per {per}{compare.unit}{plural}"
    limit = _comparison_phrase(compare.op, rate)
    return f"a FAR {limit} (the joint FAR where only a coincidence makes it significant)"


def _comparison_phrase(op: Op, value: str) -> str:
    """Return a comparison of a measured value, as in "below 300 Mpc"."""
    match op:
        case Op.LT:
            return f"below {value}"
        case Op.LE:
            return f"{value} or less"
        case Op.GT:
            return f"above {value}"
        case Op.GE:
            return f"{value} or more"
        case Op.EQ:
            return f"exactly {value}"


def _count_phrase(op: Op, value: str) -> str:
    """Return a comparison of a count, as in "2 instruments or more"."""
    match op:
        case Op.LT:
            return f"fewer than {value}"
        case Op.LE:
            return f"{value} or fewer"
        case Op.GT:
            return f"more than {value}"
        case Op.GE:
            return f"{value} or more"
        case Op.EQ:
            return f"exactly {value}"


def _probability_phrase(op: Op, probability: float) -> str:
    return f"{_share_phrase(op, probability)} of the probability"


def _share_phrase(op: Op, probability: float) -> str:
    """Return a comparison of a share, as in "more than 90 %"."""
    percent = _percent(probability)
    match op:
        case Op.GT:
            return f"more than {percent}"
        case Op.LT:
            return f"less than {percent}"
        case _:
            return _comparison_phrase(op, percent)


def _percent(probability: float) -> str:
    """Return a probability in percent with the digits that were typed, up to six."""
    return f"{format_number(float(f'{probability * 100:.6g}'))}{quantities.NBSP}%"
