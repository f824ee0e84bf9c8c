"""Reports of observations that a sentence makes, as far as they were understood. Pure.

It is a type of its own, and no text behind `observe`, so that nothing that anybody types there can be taken
for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReportMeaning(StrEnum):
    """What a report in a sentence says."""

    OBSERVED = "observed"
    """Something was observed; which fields are meant is asked where it isn't said."""
    GIVES_UP = "gives up"
    """Telescopes give up their plans."""
    NO_TELESCOPE = "no telescope"
    """Something is done, and by which telescope isn't said."""
    UNCLEAR = "unclear"
    """Telescopes are named, and what is said of them isn't understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceReport:
    """A report of an observation, made in a sentence."""

    meaning: ReportMeaning
    telescopes: tuple[str, ...] = ()
    """As they were typed; for OBSERVED they stand among the words."""
    words: str = ""
    """OBSERVED: the telescope and what was observed, as the grammar of `observe` reads it behind its verb.
    GIVES_UP: the reason. NO_TELESCOPE: fields, band and depth. UNCLEAR: nothing.
    """
