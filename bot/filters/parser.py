"""Recursive-descent parser of filters: text that people type becomes a tree of conditions.

    filter    = and ("or" and)*
    and       = not (["and"] not)*
    not       = "not"* (condition | "(" filter ")")
    condition = CBC | V1 | external | EARLYWARNING | BNS | BNS>0.5 | distance<300 | far<1/month
              | z<0.1 | mchirp<2 | Virgo | HLV | Fermi | gstlal | significant
              | search=SSM | type=INITIAL|UPDATE | near RA Dec radius [> P] | visible from SITE [> P]
              | within 200Mpc [> P] | mchirp<2.3 > P | mchirp 2.3..5.5 > P | grade SET [>= GRADE]

"&", "|" and "~" or "!" stand for and, or, not. Case is ignored. It is written by hand, for its errors are
sentences that point at the word that is wrong, and what people type may be hostile (`limits`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import or_

from bot.filters.grade_conditions import parse_grade
from bot.filters.limits import MAX_CONDITIONS, MAX_DEPTH, MAX_LENGTH
from bot.filters.map_conditions import SiteNameResolver, parse_near, parse_visible, parse_within
from bot.filters.mass_conditions import parse_mass
from bot.filters.named_conditions import named_condition, parse_alert_type
from bot.filters.periods import belongs_to_period
from bot.filters.token_reader import TokenReader
from bot.filters.tokens import FilterSyntaxError, Token, tokenize
from bot.filters.vocabulary import (
    ASTROPHYSICAL,
    EXTERNAL,
    FAR,
    FLOAT,
    GROUPS,
    MEANT,
    MIRRORED,
    NAME_EXAMPLES,
    NUMBER_EXAMPLES,
    OBSERVATORIES,
    OPS,
    QUANTITY_NAMES,
    RATE_SPANS,
    RATE_UNITS,
    SEARCHES,
    SWITCHES,
    find_similar_word,
)
from bot.runtime.typed_text import normalize_typed_text
from formatters.models.filter import (
    DEFAULT_MIN_PROBABILITY,
    FIELDS,
    Compare,
    FarCompare,
    Field,
    FieldIn,
    Filter,
    Op,
    all_of,
    conditions,
)
from formatters.models.quantity import QUANTITIES

__all__ = ["SiteNameResolver", "parse_condition", "parse_filter", "parse_tokens", "unknown_word_error"]


_OF_SUBSCRIPTIONS = {
    "quiet": "it stands by itself in a subscription, as in CBC quiet BBH",
    "escalate": 'it stands after "notify" of a subscription, as in notify @here escalate 5min @second',
    "notify": "it stands at the end of a subscription, as in CBC notify @here",
}
"""Words of a subscription that don't belong to its filter, and where they stand."""


def parse_filter(text: str, sites: SiteNameResolver | None = None) -> Filter:
    """Parse a filter. Raises FilterSyntaxError with a sentence that points at what is wrong.

    `sites` resolves the names of `visible from`; without it every name is accepted, as for stored filters.
    """
    if len(text) > MAX_LENGTH:
        raise FilterSyntaxError(
            f"A filter has at most {MAX_LENGTH:,} characters, and this one has {len(text):,}."
        )
    return parse_tokens(tokenize(normalize_typed_text(text)), sites)


def parse_tokens(tokens: Sequence[Token], sites: SiteNameResolver | None = None) -> Filter:
    """Parse a filter that was split into tokens. Raises FilterSyntaxError."""
    if not tokens:
        raise FilterSyntaxError("A filter needs a condition, like BNS>0.5 or distance<300.")
    reader = _Parser(tokens, sites)
    found = reader.parse_or(0)
    reader.expect_end()
    if len(list(conditions(found))) > MAX_CONDITIONS:
        raise FilterSyntaxError(f"A filter has at most {MAX_CONDITIONS} conditions, and this one has more.")
    return found


def parse_condition(
    tokens: Sequence[Token], at: int, sites: SiteNameResolver | None = None
) -> tuple[Filter, int]:
    """Parse one condition, or several in parentheses, at a position where a token is.

    Return it and the position after it. Raises FilterSyntaxError.
    """
    reader = _Parser(tokens, sites)
    return reader.parse_one(at)


def unknown_word_error(token: Token) -> FilterSyntaxError:
    """Return the error for a word that is no condition, with a similar word if there is one."""
    plain = token.normalized.replace("-", "")
    if plain in _OF_SUBSCRIPTIONS:
        return FilterSyntaxError(f"{token.quoted} is no condition: {_OF_SUBSCRIPTIONS[plain]}.")
    if plain in SWITCHES or token.normalized in ("all", "criteria"):
        return FilterSyntaxError(f'{token.quoted} stands by itself, outside of "and", "or", "not" and "( )".')
    if re.fullmatch(FLOAT + r"%?", token.text, re.IGNORECASE):
        return FilterSyntaxError(
            f"{token.quoted} stands alone: a number follows a comparison, like BNS>0.5,"
            " and a range is written as distance>100 distance<300."
        )
    if belongs_to_period(token.normalized):
        return FilterSyntaxError(
            f"{token.quoted} belongs to a period of past events, as in search BNS last week; a subscription"
            " looks ahead."
        )
    meant = MEANT.get(plain)
    if meant is not None:
        return FilterSyntaxError(f"{token.quoted} is no condition; perhaps you mean {meant}.")
    similar = find_similar_word(token.normalized)
    if similar is not None:
        return FilterSyntaxError(f'{token.quoted} is no condition; did you mean "{similar}"?')
    return FilterSyntaxError(
        f"{token.quoted} is none of CBC, Burst, all, mock, test, lowsig, circulars, notify, nor a condition"
        " like BNS."
    )


_ENDS_OF_AND = frozenset(("or", ")"))
_ENDS_OF_CONDITIONS = _ENDS_OF_AND | {"and"}


class _Parser:
    """Parses tokens from left to right; each method stops after the tokens that it consumed."""

    def __init__(self, tokens: Sequence[Token], sites: SiteNameResolver | None) -> None:
        self._reader = TokenReader(tokens)
        self._sites = sites
        self._condition_count = 0

    @property
    def _current(self) -> Token | None:
        return self._reader.current

    def parse_one(self, at: int) -> tuple[Filter, int]:
        """Parse one condition, or several in parentheses; return it and the position after it."""
        self._reader.position = at
        return self._parse_not(0), self._reader.position

    def expect_end(self) -> None:
        """Raise FilterSyntaxError if tokens are left."""
        if self._current is not None:
            closes = self._current.text == ")"
            raise FilterSyntaxError(
                f"{self._current.quoted} closes nothing." if closes else _misplaced_message(self._current)
            )

    def parse_or(self, depth: int) -> Filter:
        """Parse conditions joined by "or"."""
        found = [self._parse_and(depth)]
        while self._reader.accept("or"):
            found.append(self._parse_and(depth))
        return reduce(or_, found)

    def _parse_and(self, depth: int) -> Filter:
        """Parse conditions joined by "and" or by nothing."""
        found = [self._parse_not(depth)]
        while (current := self._reader.current) is not None and current.normalized not in _ENDS_OF_AND:
            if current.normalized == "and":
                self._reader.advance()
            found.append(self._parse_not(depth))
        return all_of(*found)

    def _parse_not(self, depth: int) -> Filter:
        negated = False
        while self._reader.accept("not"):
            negated = not negated
        found = self._parse_primary(depth)
        return ~found if negated else found

    def _parse_primary(self, depth: int) -> Filter:
        current = self._reader.current
        if current is None or current.normalized in _ENDS_OF_CONDITIONS:
            before = self._reader.previous
            if before is not None:
                raise FilterSyntaxError(f"{before.quoted} needs a condition after it.")
            assert current is not None, "a filter has a token"
            raise FilterSyntaxError(f"{current.quoted} needs a condition before it.")
        opened = self._reader.accept("(")
        if opened is not None:
            if depth >= MAX_DEPTH:
                raise FilterSyntaxError(f"{opened.quoted} goes deeper than {MAX_DEPTH} parentheses.")
            found = self.parse_or(depth + 1)
            if not self._reader.accept(")"):
                raise FilterSyntaxError(f"{opened.quoted} isn't closed.")
            return found
        self._condition_count += 1
        if self._condition_count > MAX_CONDITIONS:
            raise FilterSyntaxError(
                f"A filter has at most {MAX_CONDITIONS} conditions, and this one has more."
            )
        return self._parse_condition(self._reader.advance())

    def _parse_condition(self, word: Token) -> Filter:
        folded = word.normalized
        plain = folded.replace("-", "").replace("_", "")
        if not word.is_word:
            raise FilterSyntaxError(_misplaced_message(word))
        plain_word = word.text.lstrip("+-")[:40]
        if word.text[0] in "+-" and plain_word[:1].isalpha():
            raise FilterSyntaxError(
                f'{word.quoted}: write "not {plain_word}" to leave it out, "{plain_word}" to require it.'
            )
        if folded in FIELDS:
            return self._parse_field(word, FIELDS[FIELDS.index(folded)])
        if plain in EXTERNAL and self._reader.peek_comparison() is Op.EQ:
            return self._parse_field(word, "observatory")
        if folded == "far":
            return self._parse_far(word)
        if folded == "near":
            return parse_near(self._reader, word)
        if folded == "visible":
            return parse_visible(self._reader, word, self._sites)
        if folded == "within":
            return parse_within(self._reader, word)
        if folded == "grade":
            return parse_grade(self._reader, word)
        if QUANTITY_NAMES.get(plain) == "mchirp":
            return parse_mass(self._reader, word)
        if folded == "ssm" and self._reader.peek_comparison() is None:
            return FieldIn("search", ("SSM",))
        if plain in QUANTITY_NAMES:
            return self._parse_comparison(word, QUANTITY_NAMES[plain])
        if plain in ASTROPHYSICAL:
            found = self._parse_comparison(word, "Terrestrial")
            return replace(found, op=MIRRORED[found.op], value=float(f"{1 - found.value:.12g}"))
        named = named_condition(word)
        if named is None and folded == "from" and self._current is not None:
            # "from Virgo", "from Fermi"
            named = named_condition(self._current)
            if named is not None:
                self._reader.advance()
        if named is None:
            raise unknown_word_error(word)
        if self._reader.peek_comparison() is not None:
            raise FilterSyntaxError(f"{word.quoted} is compared with nothing: it holds or it doesn't.")
        return named

    def _parse_field(self, word: Token, field: Field) -> Filter:
        if self._reader.peek_comparison() is not Op.EQ:
            raise FilterSyntaxError(f"{word.quoted} needs a name after it, like {NAME_EXAMPLES[field]}.")
        sign = self._reader.advance()
        values: dict[str, None] = {}
        while True:
            if self._current is None or not self._current.is_word:
                raise FilterSyntaxError(f"{sign.quoted} needs a name after it, like {NAME_EXAMPLES[field]}.")
            values[_canonical_name(self._reader.advance(), field)] = None
            following = self._reader.following
            is_joined = self._current is not None and self._current.text == "|"
            if not is_joined or following is None or not following.is_word:
                break
            sign = self._reader.advance()
        return FieldIn(field, tuple(values))

    def _parse_comparison(self, word: Token, quantity: str) -> Compare:
        unit = QUANTITIES[quantity].unit
        op = self._reader.peek_comparison()
        if op is None:
            if unit != "probability":
                raise FilterSyntaxError(f"{word.quoted} needs a comparison, like {NUMBER_EXAMPLES[unit]}.")
            return Compare(quantity, Op.GE, DEFAULT_MIN_PROBABILITY)
        sign = self._reader.advance()
        value = self._reader.read_value(sign, unit)
        if self._reader.peek_comparison() is not None:
            raise FilterSyntaxError(
                f"{self._reader.advance().quoted} is one comparison too many: write the two with and."
            )
        return Compare(quantity, op, value)

    def _parse_far(self, word: Token) -> Filter:
        op = self._reader.peek_comparison()
        if op is None:
            raise FilterSyntaxError(f"{word.quoted} needs a comparison, like far<1/month or far<1e-8 (Hz).")
        sign = self._reader.advance()
        at = self._current or sign
        match = self._reader.accept_pattern(FAR, 4)
        years = None if match is None else RATE_SPANS.get(match["unit"] or "")
        unit = "yr" if years else None if match is None else RATE_UNITS.get(match["unit"] or "")
        if match is None or (match["unit"] and unit is None):
            raise FilterSyntaxError(
                f"{at.quoted} is no rate: 1/yr, 1/100yr, 1/month, 1/week, 1/day, 1/h or Hz."
            )
        count, per = float(match["count"]), float(match["per"] or 1) * (years or 1)
        if per <= 0 or count < 0 or not math.isfinite(count / per):
            raise FilterSyntaxError(f"{at.quoted} is no rate: both its numbers are above 0.")
        return FarCompare(op, count, per, unit or "Hz")


def _misplaced_message(token: Token) -> str:
    if token.normalized in OPS and token.position > 1:
        return (
            f"{token.quoted} has no name before it: write BNS>0.5, and a range as distance>100 distance<300."
        )
    if token.normalized in OPS:
        return f"{token.quoted} has nothing before it to compare."
    return f"{token.quoted} isn't expected here."


def _canonical_name(token: Token, field: Field) -> str:
    """Return the name as LVK writes it if it is known, otherwise as it was typed."""
    if field == "type":
        return parse_alert_type(token)
    if field == "group" and token.normalized == "all":
        raise FilterSyntaxError(f"{token.quoted} is every group: leave the condition out.")
    if not re.fullmatch(r"[\w.+-]{1,60}", token.text):
        raise FilterSyntaxError(
            f"{token.quoted} is no {field}: letters and digits, as in {NAME_EXAMPLES[field]}."
        )
    known = {"group": GROUPS, "search": SEARCHES, "observatory": OBSERVATORIES}.get(field, {})
    return known.get(token.text.casefold(), token.text)
