"""Answers to filters' conditions on grades, without the sky map where that needn't be asked.

So a channel that asks for TAROT's grade, or for Rubin's where the false-alarm rate alone decides, gets the
notice at once instead of by deferred routing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.criteria.grading import PENDING, compare_grade, grade, judged_notices
from bot.criteria.presets import BUILT_IN
from bot.filters import NO_PROBABILITIES
from formatters.models.criteria_set import GradeOutcome, WhyUndecided
from formatters.models.filter import GradeQuery, MapQuery
from formatters.models.superevent import Superevent


class DecidedGrades(Mapping[MapQuery, float | None]):
    """The map's answers, and what a superevent's notices answer alone: 1 yes, 0 no, None unknown.

    Each set is judged when it is first asked for, and once.
    """

    def __init__(
        self, superevent: Superevent, of_map: Mapping[MapQuery, float | None] = NO_PROBABILITIES
    ) -> None:
        """`of_map` are the answers of the sky map, which are lacking before it is asked."""
        self._superevent = superevent
        self._outcomes: dict[str, GradeOutcome | None] = {}
        self._answers = dict(of_map)

    def __contains__(self, query: object) -> bool:
        """Return whether the question was answered by the map, or is decided without it."""
        if query in self._answers:
            return True
        if not isinstance(query, GradeQuery):
            return False
        set_, outcome = BUILT_IN.get(query.slug), self._outcome(query.slug)
        if set_ is None or outcome is None:
            return False
        try:
            compares = compare_grade(set_, outcome, query)
        except Exception:  # noqa: BLE001  the grading service meets it too, and logs it
            return False
        if compares is None and outcome.why_undecided is WhyUndecided.MAP_PENDING:
            return False
        self._answers[query] = None if compares is None else float(compares)
        return True

    def __getitem__(self, query: MapQuery) -> float | None:
        """Return the answer. Raises KeyError if the map decides, and wasn't asked."""
        if query not in self:
            raise KeyError(query)
        return self._answers[query]

    def __iter__(self) -> Iterator[MapQuery]:
        """Yield the questions that are answered so far."""
        return iter(self._answers)

    def __len__(self) -> int:
        """Return the number of these."""
        return len(self._answers)

    def _outcome(self, slug: str) -> GradeOutcome | None:
        """Return the outcome as far as it is known without a map; None if the set can't be judged here."""
        if slug not in self._outcomes:
            set_ = BUILT_IN.get(slug)
            try:
                pending = {n.key: PENDING for n in judged_notices(set_, self._superevent)} if set_ else {}
                self._outcomes[slug] = None if set_ is None else grade(set_, self._superevent, pending)
            except Exception:  # noqa: BLE001  the grading service meets it too, and logs it
                # A defect of a set's rules must not keep the notice from anybody.
                self._outcomes[slug] = None
        return self._outcomes[slug]
