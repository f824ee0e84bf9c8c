"""Splits a filter's text into words and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LOGIC_WORDS = {"&": "and", "|": "or", "~": "not", "!": "not"}
_OPERATOR_CHARACTERS = "<>=≤≥()|&~!"
# A site's name in quotes is one word, whatever it contains.
_TOKEN = re.compile(
    r"(?<=[Ff][Rr][Oo][Mm] )[\"“„][^\"“”]+[\"”“]|<[@!#][^<>]*>|[<>!=]=|[<>=≤≥()|&~!]|[^\s<>=≤≥()|&~!]+"
)


class FilterSyntaxError(ValueError):
    """Text that is no filter or criteria; the message is a sentence for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign, with the position where it begins (1 is the first character)."""

    text: str
    position: int

    @property
    def normalized(self) -> str:
        """The text for comparison: case-folded, and logical signs as words."""
        return _LOGIC_WORDS.get(self.text) or self.text.casefold()

    @property
    def quoted(self) -> str:
        """The text for an error sentence; a sign with its position, for it may occur many times."""
        text = f'"{self.text}"' if len(self.text) <= 40 else f'"{self.text[:40]}…"'
        return text if self.is_word else f"{text} (character {self.position})"

    @property
    def is_word(self) -> bool:
        """True if it is neither an operator nor a parenthesis; "<!here>" is a word."""
        return self.text[0] not in _OPERATOR_CHARACTERS or len(self.text) > 2


def tokenize(text: str) -> list[Token]:
    """Split a text into words and signs; commas separate words, except in "1,000"."""
    parted = re.sub(r",(?!\d{3}(?!\d))", " ", " ".join(text.split()))
    parted = re.sub(r"(?<=\d),(?=\d)", "", parted)
    return [Token(match[0], match.start() + 1) for match in _TOKEN.finditer(parted)]
