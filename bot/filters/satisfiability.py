"""Finds criteria that no notice can meet, or only by chance, and conditions that every notice meets.

Decided from what can be true of one notice (`bot.filters.notice_facts`), for any combination of and, or and
not. What is called impossible is impossible; a filter with too many alternatives to go through counts as
possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from bot.filters.notice_facts import Literal, find_conflict
from formatters.models.filter import (
    And,
    Compare,
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
    conditions,
)
from formatters.models.notice import CLASSES
from formatters.models.significance import MIN_NEUTRON_STAR_PROBABILITY, MIN_REMNANT_PROBABILITY
from formatters.models.subscription import Criteria

MAX_STEPS = 250
"""Alternatives that are gone through; a filter with more counts as possible. They take a second at most."""
MAX_NODES = 60 * MAX_STEPS
"""Parts of filters that are looked at: what a grade stands for may be longer than what people type."""
_QUOTED_MAX = 100
_MAY_SHINE = Or(
    (
        Compare("NS", Op.GT, MIN_NEUTRON_STAR_PROBABILITY),
        Compare("HasRemnant", Op.GT, MIN_REMNANT_PROBABILITY),
        FieldIn("search", ("SSM",)),
        External(),
    )
)
"""The condition of `if NS` (`significance.is_light_expected`), or a wider one for missing values."""


@dataclass(frozen=True, slots=True)
class Objection:
    """A reason why criteria can't hold."""

    conditions: str
    """The fewest conditions that contradict each other, as people type them."""
    reason: str
    """The end of a sentence."""
    is_boundary: bool = False
    """True if they hold where a notice states exactly the number of a condition, and nowhere else."""
    is_mention: bool = False
    """True if it is the condition of the mention that can't hold."""
    suggestion: str = ""
    """The probable meaning, as people type it; empty if nothing suggests itself."""

    @property
    def sentence(self) -> str:
        """One or two sentences for the person who typed the criteria."""
        shown = self.conditions
        shown = shown if len(shown) <= _QUOTED_MAX else f"{shown[:_QUOTED_MAX]}…"
        never = "can never hold"
        if self.is_boundary:
            never = "holds only where a notice states exactly these numbers, which practically never happens"
        if self.is_mention:
            never += ", so nobody would be mentioned"
        text = f'"{shown}" {never}: {self.reason}.'
        return f'{text} Perhaps you mean "{self.suggestion}".' if self.suggestion else text


def find_objection(criteria: Criteria) -> Objection | None:
    """Return why the criteria, or their mention's condition, never hold; None if they may."""
    parts: list[Filter] = [] if criteria.group == "all" else [FieldIn("group", (criteria.group,))]
    parts += _joined(criteria.filter)
    found = _objection(parts)
    if found is None and not criteria.lowsig:
        found = _objection_to_lowsig(parts)
    if found is not None or criteria.notify is None:
        return found
    parts += [_MAY_SHINE] if criteria.notify.only_ns else _joined(criteria.notify.condition)
    found = _objection(parts) or (None if criteria.lowsig else _objection_to_lowsig(parts))
    return None if found is None else replace(found, is_mention=True, suggestion="")


def _objection_to_lowsig(parts: Sequence[Filter]) -> Objection | None:
    """Return why conditions hold for no significant event."""
    found = _objection([*parts, Significant()])
    if found is None:
        return None
    conditions_alone = found.conditions.removesuffix(f" {Significant().canonical}")
    return replace(found, conditions=conditions_alone, reason='without "lowsig" only significant alerts come')


def find_contradiction(criteria: Criteria) -> str | None:
    """Return a sentence on why criteria, or their mention's condition, never hold; None if they may."""
    found = find_objection(criteria)
    return None if found is None else found.sentence


def find_filter_objection(filter_: Filter) -> Objection | None:
    """Return why a filter never holds for an event of any kind; None if it may."""
    return _objection(_joined(filter_))


def idle_conditions(filter_: Filter | None) -> list[str]:
    """Return those of the conditions joined by "and" that choose nothing: "BNS>=0", "area90<50000".

    No notice meets their contrary, so they hold for every notice that states their values.
    """
    return [part.canonical for part in _joined(filter_) if _Search().conflict([~part]) is not None]


def _joined(filter_: Filter | None) -> tuple[Filter, ...]:
    """Return the conditions that must all hold."""
    return () if filter_ is None else filter_.parts if isinstance(filter_, And) else (filter_,)


@lru_cache(maxsize=500)
def _cached_objection(parts: tuple[Filter, ...]) -> Objection | None:
    for without_boundaries in (False, True):
        search = _Search(without_boundaries=without_boundaries)
        reason = search.conflict(parts)
        if reason is None:
            continue
        core = parts
        for part in parts:
            rest = tuple(one for one in core if one is not part)
            # Without steps left it is None, so the core stays larger than it might be.
            shorter = search.conflict(rest)
            if shorter is not None:
                core, reason = rest, shorter
        texts = [one.explicit_text if isinstance(one, Compare) else one.canonical for one in core]
        if len(core) > 1:
            texts = [
                f"({text})" if isinstance(one, Or) else text for one, text in zip(core, texts, strict=True)
            ]
        return Objection(
            " ".join(texts), reason, is_boundary=without_boundaries, suggestion=_suggestion(core)
        )
    return None


def _suggestion(core: Sequence[Filter]) -> str:
    """Return alternatives where several classes were asked for at once: "BNS or NSBH"; else nothing."""
    are_classes = all(
        isinstance(one, Compare) and one.quantity in CLASSES and one.op in (Op.GT, Op.GE) for one in core
    )
    names = {one.quantity for one in core if isinstance(one, Compare)}
    return " or ".join(one.canonical for one in core) if are_classes and len(names) == len(core) > 1 else ""


def _objection(parts: Sequence[Filter]) -> Objection | None:
    return _cached_objection(tuple(dict.fromkeys(parts)))


class _Search:
    """Goes through the alternatives of "or" until one is possible, MAX_STEPS in all its searches.

    With MAX_STEPS or MAX_NODES used up everything counts as possible.
    """

    def __init__(self, *, without_boundaries: bool = False) -> None:
        self._without_boundaries = without_boundaries
        self._steps = 0
        self._nodes = 0

    def conflict(self, parts: Iterable[Filter]) -> str | None:
        """Return why the filters can't all match one notice; None if they may."""
        return self._conflict([(part, True) for part in parts], [])

    def _conflict(self, wanted: list[tuple[Filter, bool]], known: list[Literal]) -> str | None:
        """Return why the filters can't all be as wanted, together with what is known; None if they may."""
        self._steps += 1
        if self._steps > MAX_STEPS or self._nodes > MAX_NODES:
            return None
        literals = list(known)
        choices: list[list[tuple[Filter, bool]]] = []
        pending = wanted[::-1]
        while pending:
            node, holds = pending.pop()
            self._nodes += 1
            match node:
                case Not(part):
                    pending.append((part, not holds))
                case And(parts) | Or(parts):
                    branches = [(part, holds) for part in parts]
                    if isinstance(node, And) is holds:
                        pending += branches[::-1]
                    else:
                        choices.append(branches)
                case GradeCondition(definition=Filter() as definition):
                    pending.append((definition, holds))
                case Compare() | FarCompare() | Near() | VisibleFrom() | Within() | MassProbability() if (
                    node.op is Op.EQ and not holds
                ):
                    choices.append([(replace(node, op=op), True) for op in (Op.LT, Op.GT)])
                case _:
                    literals += [Literal(condition, holds) for condition in conditions(node)]
        reason = find_conflict(literals, without_boundaries=self._without_boundaries)
        if reason is not None or not choices:
            return reason
        choices.sort(key=len)
        others = [_any_of(choice) for choice in choices[1:]]
        for branch in choices[0]:
            found = self._conflict([branch, *others], literals)
            if found is None:
                return None
            reason = reason or found
        return reason


def _any_of(choice: Sequence[tuple[Filter, bool]]) -> tuple[Filter, bool]:
    """Return alternatives as one filter that is to hold."""
    return Or(tuple(part if holds else Not(part) for part, holds in choice)), True
