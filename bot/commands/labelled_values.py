"""Values of a row that `check` has no use for and that say what they are: magnitudes, dates, errors."""

from __future__ import annotations

import re

from bot.skymaps.coordinates import InvalidPosition
from formatters.blockkit.mrkdwn import NAME_MAX, plain_text

NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?"
"""A number without a sign, as a pattern."""

_MAGNITUDE_END = r"(?![\w.:+°'-])"
_MAGNITUDE = re.compile(
    rf"(?<![\w.])(?:(?:[A-Za-z]{{0,6}}mag(?:nitude)?|m(?:_\w{{1,6}})?|[ugriyUVRIJHKocw]'?)"
    rf"\s*[=:]\s*[<>~]?{NUMBER}"
    rf"|[A-Za-z]{{0,6}}mag(?:nitude)?\s+{NUMBER}"
    rf"|(?:[ugrizyUBVRIJHKocw]'?\s*[=:]\s*)?[<>~]?{NUMBER}(?:\s*±\s*{NUMBER})?\s*(?:AB\s*)?(?:mag\w*|AB|Vega)"
    rf"(?!\s*[=:]|\s+[\d.]))"
    rf"(?:\s*±\s*{NUMBER})?(?:\s*(?:mag\w*|AB|Vega)(?!\s*[=:]|\s+[\d.]))?{_MAGNITUDE_END}"
)
"""Letters are those of filters; "L" and "b" aren't, since l=… b=… is galactic, and "z" only with a unit."""
_LABEL_BETWEEN = re.compile(
    rf"(?<![\w.:'°\"+-])(?P<before>{NUMBER})\s+"
    rf"(?:(?P<magnitude>[A-Za-z]{{0,6}}mag(?:nitude)?)\s+(?P<value>{NUMBER})"
    rf"|(?P<distance>z|redshift|dm|mu|μ)\s+(?P<far>{NUMBER})(?=\s+[+-]?\.?\d))",
    re.IGNORECASE,
)
"""A word between two numbers that may label either, as in "19.5 mag 10.5"."""
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
_NOT_RIGHT_ASCENSION = (
    r"(?:(?![\s,;]*[+-]?\.?\d)|(?=[\s,;]+\d+(?:\.\d+)?\s*h|[\s,;]+\d+:[\d:.]+[\s,;]+[+-]\d+:\d))"
)
"""In "2026-11-27 13:09:48 -23:22:53" the date has no time of day."""
_DATE = re.compile(
    rf"(?<![\w.])(?:\d{{4}}([-/])\d{{1,2}}\1\d{{1,2}}(?:\.\d+)?"
    rf"(?:T{_CLOCK}| {_CLOCK}(?![\d:.]){_NOT_RIGHT_ASCENSION})?(?:\s*(?:Z|UTC?)\b)?"
    rf"|(?:MJD|JD)\s*[=:]?\s*{NUMBER})(?![\w.])",
    re.IGNORECASE,
)
_POSITION_ERROR = re.compile(rf"\s*±\s*{NUMBER}(?:\s*(?:arcsec|arcmin|mas|deg|s|°|''|'|\"))?(?![\w.])")


def extract_labelled_values(text: str) -> tuple[str, list[str]]:
    """Return the text with a comma for each magnitude, date and error, and these as they were typed."""
    found: list[str] = []
    for pattern in (_DATE, _MAGNITUDE, _POSITION_ERROR):
        found += [match[0].strip(" ,;:") for match in pattern.finditer(text)]
        text = pattern.sub(" , ", text)
    return text, found


def refuse_label_between(text: str) -> None:
    """Raise InvalidPosition for a word between two numbers that may label either."""
    match = _LABEL_BETWEEN.search(text)
    if match is not None:
        label, other = match["magnitude"] or match["distance"], match["value"] or match["far"]
        raise InvalidPosition(
            f"“{plain_text(match[0], NAME_MAX)}” has two readings: write"
            f" {label}={match['before']} or {label}={other}."
        )
