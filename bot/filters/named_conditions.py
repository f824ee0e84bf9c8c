"""Conditions that are one word: groups, detectors, observatories, pipelines, alert types."""

from __future__ import annotations

import re
from functools import reduce
from operator import and_

from bot.filters.tokens import FilterSyntaxError, Token
from bot.filters.vocabulary import (
    DETECTOR_NAMES,
    DETECTORS,
    EXTERNAL,
    GROUPS,
    OBSERVATORIES,
    PIPELINES,
    SIGNIFICANT,
    TYPES,
)
from formatters.models.filter import Detector, External, FieldIn, Filter, Significant
from formatters.models.notice import RETRACTION


def named_condition(word: Token) -> Filter | None:
    """Return the condition that a word expresses alone: a group, detector, observatory, pipeline or type."""
    folded = word.normalized
    plain = folded.replace("-", "").replace("_", "")
    upper = word.text.upper()
    if folded in GROUPS:
        return FieldIn("group", (GROUPS[folded],))
    if upper in DETECTORS:
        return Detector(upper)
    if plain in DETECTOR_NAMES:
        return Detector(DETECTOR_NAMES[plain])
    if plain == "ligo":
        return Detector("H1") | Detector("L1")
    if re.fullmatch("([HLVKIG]1){2,6}", upper) or re.fullmatch("(?!.*(.).*\\1)[HLVK]{2,4}", word.text):
        return reduce(and_, (Detector(f"{letter}1") for letter in upper if letter != "1"))
    if plain in EXTERNAL:
        return External()
    if plain in OBSERVATORIES:
        return FieldIn("observatory", (OBSERVATORIES[plain],))
    if plain in SIGNIFICANT:
        return Significant()
    if plain in PIPELINES:
        return FieldIn("pipeline", (plain,))
    return FieldIn("type", (parse_alert_type(word),)) if plain in TYPES else None


def parse_alert_type(token: Token) -> str:
    """Return LVK's word for an alert type. Raises FilterSyntaxError."""
    found = TYPES.get(token.normalized.replace("-", "").replace("_", ""))
    if found == RETRACTION:
        raise FilterSyntaxError(
            f"{token.quoted} can't be chosen: a retraction goes to whoever has the event."
        )
    if found is None:
        raise FilterSyntaxError(
            f"{token.quoted} is no alert type: EARLYWARNING, PRELIMINARY, INITIAL or UPDATE."
        )
    return found
