"""Lines about the grades that criteria sets give a superevent: plain text, not escaped.

Within a set's line a semicolon separates, between sets a middle dot.
"""

from __future__ import annotations

from collections.abc import Sequence

from formatters.models.criteria_set import GradeOutcome, Stage, WhyUndecided

CARD_SETS = 2
"""The sets that the card names: the best."""
MAX_CHANGES = 5
"""Sets whose changes a reply says; further ones are counted."""

_MAX_UNDECIDED = 3
"""Undecided grades that are named; further ones are counted."""
_STANDS = " (INITIAL)"
_WHY = {
    WhyUndecided.NO_MAP: "no map yet",
    WhyUndecided.MAP_PENDING: "map not judged yet",
    WhyUndecided.NOT_STATED: "a value isn't known",
    WhyUndecided.NOT_JUDGED: "gwevent couldn't judge it",
}


def grade_line(outcome: GradeOutcome) -> str:
    """Return a set's grade in full: "rubin-2026: would be Gold if the INITIAL keeps these numbers"."""
    return f"{outcome.slug}: {_words(outcome, condition=' if the INITIAL keeps these numbers')}"


def short_grade_line(outcome: GradeOutcome) -> str:
    """Return a set's grade without reasons: "rubin-2026: would be Gold", "ntt-kilonova: undecided"."""
    return f"{outcome.slug}: {_short(outcome)}"


def card_lines(outcomes: Sequence[GradeOutcome]) -> tuple[str, ...]:
    """Return the card's line in several lengths, the longest first; empty without sets.

    In full; the same without the reasons; with the best set only.
    """
    ranked = best_first(outcomes)
    if not ranked:
        return ()
    forms = ((grade_line, CARD_SETS), (short_grade_line, CARD_SETS), (short_grade_line, 1))
    return tuple(
        dict.fromkeys(
            " · ".join([*map(worded, ranked[:count]), *_further(len(ranked) - count)])
            for worded, count in forms
        )
    )


def card_sets(outcomes: Sequence[GradeOutcome]) -> tuple[str, ...]:
    """Return the sets that the card's line names where it has room, the best first."""
    return tuple(outcome.slug for outcome in best_first(outcomes)[:CARD_SETS])


def ended_line(outcomes: Sequence[GradeOutcome]) -> str | None:
    """Return the line about grades that a retraction ended: "rubin-2026: Gold ended by the retraction".

    Several sets are joined: "rubin-2026: Gold, ntt-kilonova: Silver ended by the retraction". Return None if
    there was no grade.
    """
    ended = [one for one in best_first(outcomes) if one.stage is Stage.ENDED and one.grades]
    if not ended:
        return None
    named = [f"{one.slug}: {_ended_grades(one)}" for one in ended[:CARD_SETS]]
    further = [f"{len(ended) - CARD_SETS} more"] if len(ended) > CARD_SETS else []
    return f"{', '.join([*named, *further])} ended by the retraction"


def push_grade(outcomes: Sequence[GradeOutcome]) -> str | None:
    """Return the best grade for a push text: "rubin-2026: would be Gold"; None if no set gives one.

    While a better grade may still hold it is said: "ntt-kilonova: Silver or better".
    """
    best = next(iter(best_first(outcomes)), None)
    if best is None or not best.grades or best.stage is Stage.ENDED:
        return None
    or_better = " or better" if best.undecided else ""
    would_be = "would be " if best.stage is Stage.WOULD_BE else ""
    return f"{best.slug}: {would_be}{_names(best.grades)}{or_better}"


def grade_changes(before: Sequence[GradeOutcome], after: Sequence[GradeOutcome]) -> list[str]:
    """Return the changes of a channel's grades, rises first: "rubin-2026: Silver → Gold".

    A set without an outcome before gave no grade. A grade that stays while its certainty falls is no change.
    """
    known = {one.slug: one for one in before}
    pairs = [(known.get(one.slug, GradeOutcome(slug=one.slug)), one) for one in after]
    changed = [
        (not _has_one_risen(was, now), f"{now.slug}: {change}")
        for was, now in pairs
        if (change := _change(was, now)) is not None
    ]
    # Sorted by the flag alone, so the channel's order stays within both groups.
    lines = [line for _, line in sorted(changed, key=lambda item: item[0])]
    further = len(lines) - MAX_CHANGES
    if further <= 0:
        return lines
    return [*lines[:MAX_CHANGES], f"Grades of {further} more {'set' if further == 1 else 'sets'} changed"]


def has_risen(before: Sequence[GradeOutcome], after: Sequence[GradeOutcome]) -> bool:
    """Return True if the grade of a set is better than before, or if an INITIAL gave it.

    A grade that would be and now stands is the trigger itself, even if it is lower than it would have been.
    """
    known = {one.slug: one for one in before}
    return any(_has_one_risen(known.get(one.slug, GradeOutcome(slug=one.slug)), one) for one in after)


def best_first(outcomes: Sequence[GradeOutcome]) -> list[GradeOutcome]:
    """Return the outcomes by their grades' ranks; then those that are undecided, then those without a grade.

    Equals keep the channel's order.
    """
    return sorted(outcomes, key=lambda one: (one.rank is None, one.rank or 0, not one.undecided))


def _has_one_risen(before: GradeOutcome, after: GradeOutcome) -> bool:
    if after.rank is None or after.stage is Stage.ENDED:
        return False
    if before.rank is None or before.stage is Stage.ENDED or after.rank < before.rank:
        return True
    return before.stage is Stage.WOULD_BE and after.stage is Stage.STANDS


def _change(before: GradeOutcome, after: GradeOutcome) -> str | None:
    """Return the words for what changed, without the set's name; None if nothing did."""
    if after.stage is Stage.ENDED:
        return _ending(before)
    if before.stage is Stage.ENDED:
        # A candidate again; what the retraction ended is no grade that this one could be compared with.
        return _words(after) if after.grades or after.undecided else None
    if not _has_grade_changed(before, after):
        return _change_of_newest(before, after)
    return f"{_short(before)} → {_words(after)}"


def _has_grade_changed(before: GradeOutcome, after: GradeOutcome) -> bool:
    if before.grades != after.grades:
        return True
    if before.undecided and not after.undecided:
        return True
    return bool(after.grades) and before.stage is not after.stage


def _ending(before: GradeOutcome) -> str | None:
    if not before.grades or before.stage is Stage.ENDED:
        return None
    would = "would-be " if before.stage is Stage.WOULD_BE else ""
    return f"{would}{_names(before.grades)} ended by the retraction"


def _change_of_newest(before: GradeOutcome, after: GradeOutcome) -> str | None:
    """Return the words for newer numbers that would give another grade than the one that stands."""
    now = after.newest_grades
    if after.stage is not Stage.STANDS or now is None:
        return None
    was = before.grades if before.newest_grades is None else before.newest_grades
    if was == now:
        return None
    stands = f"{_names(after.grades)} stands" if after.grades else "still no trigger"
    if now == after.grades:
        return f"{stands}; its numbers say so again"
    return f"{stands}; {_newest(now)}"


def _words(outcome: GradeOutcome, condition: str = "") -> str:
    """Return all that a set says, without its name. `condition` follows a grade that would be."""
    if outcome.stage is Stage.ENDED:
        ended = _ended_grades(outcome)
        return f"{ended} ended by the retraction" if ended else "retracted without a grade"
    if outcome.undecided and not outcome.grades:
        return f"undecided, at best {outcome.undecided[0]}{_reason(outcome)}"
    parts = [f"{_decided(outcome)}{condition if outcome.stage is Stage.WOULD_BE else ''}"]
    if outcome.undecided:
        parts.append(f"{_listed(outcome.undecided)} undecided{_reason(outcome)}")
    if _is_newest_different(outcome):
        parts.append(_newest(outcome.newest_grades or ()))
    return "; ".join(parts)


def _short(outcome: GradeOutcome) -> str:
    """Return a set's grade without its name, reasons and conditions."""
    if outcome.stage is Stage.ENDED:
        ended = _ended_grades(outcome)
        return f"{ended} ended" if ended else "retracted"
    if outcome.undecided and not outcome.grades:
        return "undecided"
    # Without "would be" it is plain that the grade stands.
    words = _decided(outcome).removesuffix(_STANDS)
    if outcome.undecided:
        words += f"; {_listed(outcome.undecided)} undecided"
    if _is_newest_different(outcome):
        words += f"; numbers now: {_names(outcome.newest_grades or ()) or 'no grade'}"
    return words


def _ended_grades(outcome: GradeOutcome) -> str:
    """Return the grades that a retraction ended: "Gold", or "would-be Gold" without an INITIAL; or empty."""
    names = _names(outcome.grades)
    return f"would-be {names}" if names and outcome.never_stood else names


def _decided(outcome: GradeOutcome) -> str:
    names = _names(outcome.grades)
    match outcome.stage:
        case Stage.WOULD_BE:
            return f"would be {names}" if names else "would not trigger"
        case Stage.STANDS:
            return f"{names or 'no trigger'}{_STANDS}"
        case _:
            return names or "no grade"


def _is_newest_different(outcome: GradeOutcome) -> bool:
    return (
        outcome.stage is Stage.STANDS
        and outcome.newest_grades is not None
        and outcome.newest_grades != outcome.grades
    )


def _newest(grades: tuple[str, ...]) -> str:
    return f"its numbers now: {_names(grades) or 'no grade'}, not re-triggered"


def _reason(outcome: GradeOutcome) -> str:
    return "" if outcome.why_undecided is None else f" ({_WHY[outcome.why_undecided]})"


def _names(grades: Sequence[str]) -> str:
    """Return grades as a list in words: "lensed A and Bronze"; empty for none."""
    *first, last = grades or ("",)
    return f"{', '.join(first)} and {last}" if first else last


def _listed(undecided: Sequence[str]) -> str:
    further = len(undecided) - _MAX_UNDECIDED
    more = [f"{further} more"] if further > 0 else []
    return ", ".join([*undecided[:_MAX_UNDECIDED], *more])


def _further(count: int) -> list[str]:
    return [f"+{count} more"] if count > 0 else []
