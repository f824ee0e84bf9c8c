"""Parse the words after `coverage`: nothing, or which table to export. Pure."""

from __future__ import annotations

import re
from typing import Literal

from bot.commands.errors import CommandError
from bot.runtime.typed_text import normalize_typed_text
from formatters.blockkit.mrkdwn import plain_text

Export = Literal["csv", "json"]

_EXPORT_WORDS = frozenset(("export", "download", "save", "copy"))
_TABLE_WORDS = {"csv": "csv", "table": "csv", "json": "json"}
_FILLERS = frozenset(
    (
        "the",
        "of",
        "for",
        "on",
        "from",
        "in",
        "as",
        "please",
        "event",
        "map",
        "sky",
        "show",
        "list",
        "all",
        "now",
        "yet",
        "so",
        "far",
        "until",
        "our",
        "total",
        "already",
    )
)
_SENTENCE = re.compile(
    r"\b(?:covered|uncovered|coverage)\b|\b(?:what|which)(?: sky| area| part)? (?:is|s) left\b"
    r"|\bwho (?:has |have )?(?:looked|pointed|covers)\b|\bwhat has nobody (?:observed|looked at)\b"
)
_MARKS = ",:;.?!()'\"“”"


def asks_for_coverage(plain: str) -> bool:
    """Return True for a sentence in small letters such as "what is covered" or "what sky is left"."""
    return _SENTENCE.search(plain) is not None


def besides_coverage(plain: str) -> str:
    """Return the rest of a sentence that asks for `coverage` by that noun: "ztf coverage" is "ztf"."""
    return plain.replace("coverage", " ") if re.search(r"\bcoverage\b", plain) else ""


def read_coverage_words(arguments: str) -> Export | None:
    """Return the format of the export that is asked for, None for the answer in words.

    Raises CommandError.
    """
    words = [word.casefold().strip(_MARKS) for word in normalize_typed_text(arguments).split()]
    asked = [word for word in words if word and word not in _FILLERS]
    formats = {_TABLE_WORDS[word] for word in asked if word in _TABLE_WORDS}
    unknown = [word for word in asked if word not in _TABLE_WORDS and word not in _EXPORT_WORDS]
    if unknown or len(formats) > 1:
        shown = plain_text(unknown[0] if unknown else " and ".join(sorted(formats)), 40)
        raise CommandError(
            f'I don\'t read "{shown}" here: type coverage, or coverage export csv or json, with the id of an'
            " event if you mean another. What you observe yourself is said with observe."
        )
    if not asked:
        return None
    return "json" if "json" in formats else "csv"
