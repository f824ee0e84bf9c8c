"""Splits a filter's text into words and signs."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from bot.filters.phrases import without_phrases

_LOGIC_WORDS = {"&": "and", "|": "or", "~": "not", "!": "not"}
_OPERATOR_CHARACTERS = "<>=≤≥()|&~!"
# A site's name in quotes is one word, whatever it contains, and so is a grade's.
_TOKEN = re.compile(
    r"(?<=[Ff][Rr][Oo][Mm] )[\"“„][^\"“”]+[\"”“]|(?:(?<=[<>=≤≥])|(?<=[<>=≤≥] ))\"[^\"]+\""
    r"|<[@!#][^<>]*>|[<>!=]=|[<>=≤≥()|&~!]|[^\s<>=≤≥()|&~!]+"
)

_SET = r"(?<![\w=|])grade [^\s<>=≤≥()|&~!\",]+"
_COMPARISON = r" ?(?:[<>=]=|[<>=≤≥]) ?"
_KEPT = re.compile(
    r"(?<=from )[\"“„][^\"“”]+[\"“”]"
    rf"|{_SET}(?:{_COMPARISON}(?:\"[^\"]*\"|[^\s<>=≤≥()|&~!\",]+))?",
    re.IGNORECASE,
)
"""Names of sites, criteria sets and grades, in which no phrase is replaced: a grade may be "Mass-gap"."""
_QUOTED_GRADE = re.compile(rf"({_SET}{_COMPARISON})(?:\"([^\"]+)\"|'([^']+)')", re.IGNORECASE)
_QUOTES_AROUND = re.compile(
    rf"(?P<kept>{_SET}{_COMPARISON}\"[^\"]+\")"
    r"|(?<![\w\"])(?<!from )\"(?P<inner>[^\"]*)\"(?![\w\"])",
    re.IGNORECASE,
)
"""Quotation marks that people or programs put around a filter or a part of it; a name keeps its quotes."""
_QUOTES = frozenset("\"'“”„")
_GRADE = "grade "
_NUMBERS_WITH_COMMAS = re.compile(r"(?:(?<!\d)(?<!\d\.)\d[\d.]*|(?<![\w.)\"'%°′″])),\d(?:[\d.,]*\d)?")
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")


class FilterSyntaxError(ValueError):
    """Text that is no filter or criteria; the message is a sentence for the person who typed it."""


class Token(NamedTuple):
    """One word or sign of a text; `make_token` makes it."""

    text: str
    position: int
    """The position where it begins; 1 is the first character."""
    normalized: str
    """The text for comparison: case-folded, and logical signs as words."""

    @property
    def quoted(self) -> str:
        """The text for an error sentence; a sign with its position, for it may occur many times."""
        text = f'"{self.text}"' if len(self.text) <= 40 else f'"{self.text[:40]}…"'
        return text if self.is_word else f"{text} (character {self.position})"

    @property
    def is_word(self) -> bool:
        """True if it is neither an operator nor a parenthesis; "<!here>" is a word."""
        return self.text[0] not in _OPERATOR_CHARACTERS or len(self.text) > 2


def make_token(text: str, position: int) -> Token:
    """Return a word or sign that begins at a position."""
    return Token(text, position, _LOGIC_WORDS.get(text) or text.casefold())


def tokenize(text: str) -> list[Token]:
    """Split a text into words and signs; commas separate words.

    Raises FilterSyntaxError for a comma in a number that can be read in two ways: "0,300" and "1,000" are a
    third and one where the comma is the decimal sign. Only what has one reading passes: "1,234,567",
    "1,000.5", and "197.45,-23.38", which are two numbers.
    """
    parted = " ".join(text.split())
    # Expressions that can't match are not tried: thousands of filters are parsed when a process starts.
    if _QUOTES.isdisjoint(parted):
        parted = _without_commas(parted) if _GRADE not in parted.casefold() else _outside_names(parted)
    else:
        parted = _QUOTED_GRADE.sub(_with_double_quotes, parted)
        parted = _outside_names(_QUOTES_AROUND.sub(lambda match: match["kept"] or match["inner"], parted))
    return [make_token(match[0], match.start() + 1) for match in _TOKEN.finditer(parted)]


def _outside_names(text: str) -> str:
    """Replace phrases and commas in a text, but not in the names that it contains."""
    kept = []
    end = 0
    for quoted in _KEPT.finditer(text):
        kept += [_without_commas(text[end : quoted.start()]), quoted[0].replace(",", " ")]
        end = quoted.end()
    return "".join([*kept, _without_commas(text[end:])])


def _with_double_quotes(match: re.Match[str]) -> str:
    return f'{match[1]}"{match[2] or match[3]}"'


def _without_commas(text: str) -> str:
    text = without_phrases(text)
    return _NUMBERS_WITH_COMMAS.sub(_split_numbers, text).replace(",", " ") if "," in text else text


def _split_numbers(match: re.Match[str]) -> str:
    """Return digits, points and commas without their commas. Raises FilterSyntaxError."""
    run = match[0]
    parts = run.split(",")
    is_grouped = _GROUPED.fullmatch(run) is not None
    if is_grouped and ("." in run or len(parts) > 2):
        return "".join(parts)
    if parts[0] and all("." in one or "." in other for one, other in pairwise(parts)):
        # A number with a point has no decimal comma.
        return " ".join(parts)
    shown = run if len(run) <= 40 else f"{run[:40]}…"
    if len(parts) > 2:
        raise FilterSyntaxError(
            f'"{shown}" can be read in several ways: write numbers like 0.5, with blanks between.'
        )
    point = f"{parts[0] or 0}.{parts[1]}"[:40]
    if not parts[0]:
        raise FilterSyntaxError(f'"{shown}" isn\'t clear: write {point} with a point.')
    other = ("".join(parts) if is_grouped else " ".join(parts))[:40]
    is_value = match.string[: match.start()].rstrip()[-1:] in tuple("<>=≤≥/")
    if parts[0].strip("0") == "" or (is_value and not is_grouped):
        raise FilterSyntaxError(f'"{shown}" isn\'t clear: write {point} with a point; commas separate words.')
    raise FilterSyntaxError(f'"{shown}" can be read in two ways: write {point} or {other}.')
