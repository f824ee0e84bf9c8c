"""Criteria sets: a group's written rules with grades, and what they say about a superevent.

A set belongs to a workspace or is built in. Its grades are ordered from the best down; the first whose filter
holds is the superevent's grade.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from formatters.models.filter import Filter

SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
"""Syntax of a set's name: "rubin-2026"."""
SLUG_MAX = 30
"""Characters of a set's name."""
GRADE_NAME = re.compile(r"[^\W\d_][\w+-]*(?: [\w+-]+)*")
"""Syntax of a grade's name: "Gold", "A+", "Priority 1"; canonical text quotes one that has a blank."""
GRADE_NAME_MAX = 20
"""Characters of a grade's name."""
GRADES_MAX = 20
"""Grades of a set."""
TEXT_MAX = 3_000
"""Characters of a set's grades in canonical form."""
SETS_MAX = 50
"""Criteria sets of a workspace."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade of a criteria set."""

    name: str
    filter: Filter | None
    """The condition of the grade; None for a grade that the set's own code decides (`rubin-2026`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriteriaSet:
    """Rules with grades. Equal sets grade alike, whichever workspace they belong to."""

    slug: str
    """The name that people type: "ntt-kilonova"."""
    grades: tuple[Grade, ...]
    """From the best down; at least one, each name once (ignoring case)."""
    is_built_in: bool = False
    judges_initial: bool = False
    """True if only an INITIAL triggers: its grade stands whatever comes later, but for a retraction."""
    source: str = ""
    """Of a built-in set: whose rules these are, and where they are published; one sentence."""

    @property
    def canonical(self) -> str:
        """The grades as people type them: "Gold: NS distance<150; Silver: NS distance<300"."""
        return "; ".join(f"{g.name}: {g.filter.canonical}" for g in self.grades if g.filter is not None)

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that change if the set is edited."""
        return hashlib.sha256(f"{self.slug} {self.canonical}".encode()).hexdigest()[:8]

    def find_grade(self, name: str) -> Grade | None:
        """Return the grade with this name, ignoring case."""
        folded = name.casefold()
        return next((grade for grade in self.grades if grade.name.casefold() == folded), None)


class Stage(StrEnum):
    """The way in which a grade is to be understood."""

    CURRENT = "current"
    """The grade by the newest notice; it changes with each notice."""
    WOULD_BE = "would be"
    """The set triggers on an INITIAL, which hasn't come: the grade if that keeps these numbers."""
    STANDS = "stands"
    """The INITIAL was judged; its grade stands."""
    ENDED = "ended"
    """The superevent was retracted."""


class WhyUndecided(StrEnum):
    """The things that may be missing for a decision."""

    NO_MAP = "no map"
    """The notice has no sky map yet."""
    MAP_PENDING = "map pending"
    """Its sky map is being computed on."""
    NOT_STATED = "not stated"
    """The notice lacks a value that a condition compares."""
    NOT_JUDGED = "not judged"
    """gwevent couldn't judge it, by a fault of its own that is in its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeOutcome:
    """A criteria set's judgement of a superevent. Equal outcomes are worded alike."""

    slug: str
    grades: tuple[str, ...] = ()
    """The grade; empty for none. `rubin-2026` may give several categories' ("lensed A", "Bronze"), the one
    that takes precedence first."""
    rank: int | None = None
    """Place of the best of them among the set's grades, 0 being the best; None for none."""
    undecided: tuple[str, ...] = ()
    """Better grades that may still hold, the best first."""
    why_undecided: WhyUndecided | None = None
    """Given exactly if `undecided` isn't empty."""
    stage: Stage = Stage.CURRENT
    newest_grades: tuple[str, ...] | None = None
    """With Stage.STANDS: what the newest notice's numbers would give; None if they weren't judged.

    Equal to `grades` if nothing changed.
    """
    never_stood: bool = False
    """With Stage.ENDED: True if the retraction came before the INITIAL that would have given the grade."""


class Verdict(StrEnum):
    """The verdict on a condition: it holds, it fails, or neither is known."""

    HELD = "held"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The notice doesn't state the value."""
    UNDECIDED = "undecided"
    """The sky map decides, and it wasn't queried or there is none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionOutcome:
    """The verdict on one condition of a grade for a superevent, with the numbers that decide."""

    text: str
    """The condition as people type it ("distance<150"), or the rule in words."""
    verdict: Verdict
    value: float | None = None
    """The value of the notice or its map, in `unit`; None if it isn't a number, or isn't known."""
    limit: float | None = None
    """The limit that `value` was compared with; None if it wasn't compared with a number."""
    unit: str = ""
    """"", "probability", "deg²", "Mpc", "redshift", "Msun", "Hz"."""
    section: str = ""
    """The part of the published rules that states the condition; empty for a workspace's own set."""
    alternatives: tuple[ConditionOutcome, ...] = ()
    """Of alternatives joined by "or": each of them, with its own numbers."""
    is_never_stated: bool = False
    """True if it fails because notices of this group or search never state the value: a burst has no BNS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeExplanation:
    """The reasons why one grade holds or doesn't."""

    grade: str
    verdict: Verdict
    conditions: tuple[ConditionOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetExplanation:
    """The reasons why a criteria set gives a superevent the grade it gives."""

    outcome: GradeOutcome
    grades: tuple[GradeExplanation, ...]
    """The set's grades (of `rubin-2026`: its categories), in their order."""
    judged: str = ""
    """The notice whose numbers were judged, as people call it: "INITIAL", "PRELIMINARY 2"."""
