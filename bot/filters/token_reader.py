"""Reads a filter's tokens from left to right; the parsers of conditions share it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from bot.filters.tokens import FilterSyntaxError, Token
from bot.filters.vocabulary import MAX_REDSHIFT, NUMBER_EXAMPLES, OPS, UNITS, VALUE
from formatters.models.filter import Op


class TokenReader:
    """A position in a row of tokens; each method stops after the tokens that it consumed."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self.position = 0
        """Index of the next token; may be set back to an earlier one."""

    @property
    def current(self) -> Token | None:
        """The next token; None at the end."""
        return self._tokens[self.position] if self.position < len(self._tokens) else None

    @property
    def previous(self) -> Token | None:
        """The token that was consumed last; None at the start."""
        return self._tokens[self.position - 1] if self.position else None

    @property
    def following(self) -> Token | None:
        """The token after the next one; None if there is none."""
        return self._tokens[self.position + 1] if self.position + 1 < len(self._tokens) else None

    def advance(self) -> Token:
        """Consume and return the next token, which exists."""
        token = self._tokens[self.position]
        self.position += 1
        return token

    def accept(self, *normalized: str) -> Token | None:
        """Consume and return the next token if it is one of these; return None otherwise."""
        token = self.current
        if token is None or token.normalized not in normalized:
            return None
        self.position += 1
        return token

    def peek_words(self, most: int) -> list[str]:
        """Return up to `most` next words, up to the next sign, without consuming them."""
        found: list[str] = []
        for token in self._tokens[self.position : self.position + most]:
            if not token.is_word:
                break
            found.append(token.text)
        return found

    def accept_pattern(self, pattern: re.Pattern[str], most: int) -> re.Match[str] | None:
        """Consume the longest run of words that matches, case-folded; return None if none does."""
        words = self.peek_words(most)
        for count in range(len(words), 0, -1):
            match = pattern.fullmatch(" ".join(words[:count]).casefold())
            if match is not None:
                self.position += count
                return match
        return None

    def peek_comparison(self) -> Op | None:
        """Return the next operator without consuming it; None if the next token is none."""
        token = self.current
        if token is not None and token.text == "!=":
            raise FilterSyntaxError(
                f'{token.quoted} isn\'t known: write "not" before the condition and "=" in it.'
            )
        return None if token is None else OPS.get(token.text)

    def read_value(self, sign: Token, unit: str, example: str | None = None) -> float:
        """Read the number after an operator; return it in the quantity's own unit.

        Raises FilterSyntaxError with the `example` of a right spelling.
        """
        at = self.current
        match = self.accept_pattern(VALUE, 2)
        if match is not None and (match["unit"] or "") not in UNITS[unit] and " " in match[0]:
            # The word after the number is not a unit but the next condition.
            self.position -= 1
            match = VALUE.fullmatch(match["value"])
        if at is None or match is None or (match["unit"] or "") not in UNITS[unit]:
            problem = f"{sign.quoted} needs" if at is None else f"{at.quoted} is not"
            raise FilterSyntaxError(f"{problem} a number as in {example or NUMBER_EXAMPLES[unit]}.")
        value = in_own_unit(match["value"], match["unit"], unit)
        if not math.isfinite(value) or value < 0 or (unit == "probability" and value > 1):
            wanted = "probability: 0 to 1, or 0 % to 100 %" if unit == "probability" else "number from 0 on"
            raise FilterSyntaxError(f"{at.quoted} is no {wanted}.")
        if unit == "redshift" and value > MAX_REDSHIFT:
            raise FilterSyntaxError(f"{at.quoted} is no redshift from 0 to {MAX_REDSHIFT:g}.")
        return value

    def read_probability_limit(self, default: tuple[Op, float]) -> tuple[Op, float]:
        """Read a comparison with a probability ("> 0.5", "with more than 50 %"), else return the default."""
        if self.following is not None and self.following.text in OPS:
            self.accept("with")
        op = self.peek_comparison()
        if op is None:
            return default
        return op, self.read_value(self.advance(), "probability")


def in_own_unit(number: str, typed_unit: str | None, unit: str) -> float:
    """Return a number that was typed in one of UNITS[unit] in that quantity's own unit."""
    factor = UNITS[unit][typed_unit or ""]
    # 55 % is 0.55, not 0.55000000000000004.
    return float(number) if factor == 1 else float(f"{float(number) * factor:.12g}")
