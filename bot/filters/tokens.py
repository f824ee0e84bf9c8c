"""Splits a filter's text into words and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LOGIC_WORDS = {"&": "and", "|": "or", "~": "not", "!": "not"}
_OPERATOR_CHARACTERS = "<>=≤≥()|&~!"
# A site's name in quotes is one word, whatever stands in it.
_TOKEN = re.compile(
    r"(?<=[Ff][Rr][Oo][Mm] )[\"“„][^\"“”]+[\"”“]|<[@!#][^<>]*>|[<>!=]=|[<>=≤≥()|&~!]|[^\s<>=≤≥()|&~!]+"
)


class FilterSyntaxError(ValueError):
    """A word that is no part of the grammar; its text is a sentence for who typed it."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign, with the place where it begins (1 is the first character)."""

    text: str
    position: int

    @property
    def normalized(self) -> str:
        """For comparing: without case, signs of logic as their words."""
        return _LOGIC_WORDS.get(self.text) or self.text.casefold()

    @property
    def quoted(self) -> str:
        """For a sentence: a sign with its place, for there may be many of it."""
        said = f'"{self.text}"' if len(self.text) <= 40 else f'"{self.text[:40]}…"'
        return said if self.is_word else f"{said} (character {self.position})"

    @property
    def is_word(self) -> bool:
        """Whether it is neither an operator nor a parenthesis; "<!here>" is a word."""
        return self.text[0] not in _OPERATOR_CHARACTERS or len(self.text) > 2


def tokenize(text: str) -> list[Token]:
    """Cut a text into words and signs; commas part words, save in "1,000"."""
    parted = re.sub(r",(?!\d{3}(?!\d))", " ", " ".join(text.split()))
    parted = re.sub(r"(?<=\d),(?=\d)", "", parted)
    return [Token(match[0], match.start() + 1) for match in _TOKEN.finditer(parted)]
