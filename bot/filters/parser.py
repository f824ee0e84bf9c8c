"""Recursive-descent parser of filters: text that people type becomes a tree of conditions.

    filter    = and ("or" and)*
    and       = not (["and"] not)*
    not       = "not"* (condition | "(" filter ")")
    condition = CBC | V1 | external | EARLYWARNING | BNS | BNS>0.5 | distance<300 | far<1/month
              | z<0.1 | mchirp<2 | Virgo | HLV | Fermi | gstlal | significant
              | search=SSM | type=INITIAL|UPDATE | near RA Dec radius [> P] | visible from SITE [> P]

"&", "|" and "~" or "!" stand for and, or, not. Case is ignored. It is written by hand, for its errors are
sentences that point at the word that is wrong, and what people type may be hostile (`limits`).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.filters.limits import MAX_CONDITIONS, MAX_DEPTH, MAX_LENGTH
from bot.filters.named_conditions import named_condition, parse_alert_type
from bot.filters.periods import belongs_to_period
from bot.filters.tokens import FilterSyntaxError, Token, tokenize
from bot.filters.vocabulary import (
    ANGLES,
    ASTROPHYSICAL,
    CANONICAL_SPELLINGS,
    EXTERNAL,
    FAR,
    FLOAT,
    GROUPS,
    MAX_REDSHIFT,
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
    UNITS,
    VALUE,
    VOCABULARY,
)
from bot.runtime.typed_text import normalize_typed_text
from bot.skymaps.coordinates import InvalidPosition, parse_position
from formatters.models.filter import (
    DEFAULT_MIN_MAP_PROBABILITY,
    DEFAULT_MIN_PROBABILITY,
    FIELDS,
    Compare,
    ConeQuery,
    FarCompare,
    Field,
    FieldIn,
    Filter,
    Near,
    Op,
    SiteQuery,
    VisibleFrom,
    conditions,
)
from formatters.models.quantity import QUANTITIES

SiteNameResolver = Callable[[Sequence[str]], tuple[str, int]]
"""Returns the canonical name of the site that a row of words begins with, and how many of them it takes.

Raises ValueError with a sentence that says what is wrong and what may be meant.
"""


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


def unknown_word_error(token: Token) -> FilterSyntaxError:
    """Return the error for a word that is no condition, with a similar word if there is one."""
    if token.normalized.replace("-", "") in SWITCHES or token.normalized == "all":
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
    meant = MEANT.get(token.normalized.replace("-", ""))
    if meant is not None:
        return FilterSyntaxError(f"{token.quoted} is no condition; perhaps you mean {meant}.")
    near = difflib.get_close_matches(token.normalized[:40], VOCABULARY, n=1, cutoff=0.65)
    if near:
        return FilterSyntaxError(
            f'{token.quoted} is no condition; did you mean "{CANONICAL_SPELLINGS.get(near[0], near[0])}"?'
        )
    return FilterSyntaxError(
        f"{token.quoted} is none of CBC, Burst, all, mock, test, lowsig, circulars, notify, nor a condition"
        " like BNS."
    )


class _Parser:
    """Parses tokens from left to right; each method stops after the tokens that it consumed."""

    def __init__(self, tokens: Sequence[Token], sites: SiteNameResolver | None) -> None:
        self._tokens = tokens
        self._sites = sites
        self._position = 0
        self._condition_count = 0

    @property
    def _current(self) -> Token | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _advance(self) -> Token:
        token = self._tokens[self._position]
        self._position += 1
        return token

    def _accept(self, *folded: str) -> Token | None:
        """Consume and return the next token if it is one of these; return None otherwise."""
        if self._current is not None and self._current.normalized in folded:
            return self._advance()
        return None

    def _peek_words(self, most: int) -> list[str]:
        """Return up to `most` next words, up to the next sign, without consuming them."""
        found: list[str] = []
        for token in self._tokens[self._position : self._position + most]:
            if not token.is_word:
                break
            found.append(token.text)
        return found

    def _accept_pattern(self, pattern: re.Pattern[str], most: int) -> re.Match[str] | None:
        """Consume the longest run of words that matches; return None if none does."""
        words = self._peek_words(most)
        for count in range(len(words), 0, -1):
            match = pattern.fullmatch(" ".join(words[:count]).casefold())
            if match is not None:
                self._position += count
                return match
        return None

    def expect_end(self) -> None:
        """Raise FilterSyntaxError if tokens are left."""
        if self._current is not None:
            closes = self._current.text == ")"
            raise FilterSyntaxError(
                f"{self._current.quoted} closes nothing." if closes else _misplaced_message(self._current)
            )

    def parse_or(self, depth: int) -> Filter:
        """Parse conditions joined by "or"."""
        found = self._parse_and(depth)
        while self._accept("or"):
            found = found | self._parse_and(depth)
        return found

    def _parse_and(self, depth: int) -> Filter:
        """Parse conditions joined by "and" or by nothing."""
        found = self._parse_not(depth)
        while self._current is not None and self._current.normalized != "or" and self._current.text != ")":
            self._accept("and")
            found = found & self._parse_not(depth)
        return found

    def _parse_not(self, depth: int) -> Filter:
        negated = False
        while self._accept("not"):
            negated = not negated
        found = self._parse_primary(depth)
        return ~found if negated else found

    def _parse_primary(self, depth: int) -> Filter:
        before = self._tokens[self._position - 1] if self._position else None
        if self._current is None or self._current.text == ")" or self._current.normalized in ("and", "or"):
            if before is not None:
                raise FilterSyntaxError(f"{before.quoted} needs a condition after it.")
            assert self._current is not None, "a filter has a token"
            raise FilterSyntaxError(f"{self._current.quoted} needs a condition before it.")
        if self._accept("("):
            opened = self._tokens[self._position - 1]
            if depth >= MAX_DEPTH:
                raise FilterSyntaxError(f"{opened.quoted} goes deeper than {MAX_DEPTH} parentheses.")
            found = self.parse_or(depth + 1)
            if not self._accept(")"):
                raise FilterSyntaxError(f"{opened.quoted} isn't closed.")
            return found
        self._condition_count += 1
        if self._condition_count > MAX_CONDITIONS:
            raise FilterSyntaxError(
                f"A filter has at most {MAX_CONDITIONS} conditions, and this one has more."
            )
        return self._parse_condition(self._advance())

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
        if plain in EXTERNAL and self._peek_comparison() is Op.EQ:
            return self._parse_field(word, "observatory")
        if folded == "far":
            return self._parse_far(word)
        if folded == "near":
            return self._parse_near(word)
        if folded == "visible":
            return self._parse_visible(word)
        if folded == "ssm" and self._peek_comparison() is None:
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
                self._advance()
        if named is None:
            raise unknown_word_error(word)
        if self._peek_comparison() is not None:
            raise FilterSyntaxError(f"{word.quoted} is compared with nothing: it holds or it doesn't.")
        return named

    def _peek_comparison(self) -> Op | None:
        """Return the next operator without consuming it; None if the next token is none."""
        token = self._current
        if token is not None and token.text == "!=":
            raise FilterSyntaxError(
                f'{token.quoted} isn\'t known: write "not" before the condition and "=" in it.'
            )
        return None if token is None else OPS.get(token.text)

    def _parse_field(self, word: Token, field: Field) -> Filter:
        if self._peek_comparison() is not Op.EQ:
            raise FilterSyntaxError(f"{word.quoted} needs a name after it, like {NAME_EXAMPLES[field]}.")
        sign = self._advance()
        values: dict[str, None] = {}
        while True:
            if self._current is None or not self._current.is_word:
                raise FilterSyntaxError(f"{sign.quoted} needs a name after it, like {NAME_EXAMPLES[field]}.")
            values[_canonical_name(self._advance(), field)] = None
            following = self._tokens[self._position + 1 : self._position + 2]
            if (
                self._current is None
                or self._current.text != "|"
                or not following
                or not following[0].is_word
            ):
                break
            sign = self._advance()
        return FieldIn(field, tuple(values))

    def _parse_comparison(self, word: Token, quantity: str) -> Compare:
        unit = QUANTITIES[quantity].unit
        op = self._peek_comparison()
        if op is None:
            if unit != "probability":
                raise FilterSyntaxError(f"{word.quoted} needs a comparison, like {NUMBER_EXAMPLES[unit]}.")
            return Compare(quantity, Op.GE, DEFAULT_MIN_PROBABILITY)
        sign = self._advance()
        value = self._parse_value(sign, unit)
        if self._peek_comparison() is not None:
            raise FilterSyntaxError(
                f"{self._advance().quoted} is one comparison too many: write the two with and."
            )
        return Compare(quantity, op, value)

    def _parse_value(self, sign: Token, unit: str) -> float:
        """Parse the number after an operator; return it in the quantity's own unit."""
        at = self._current
        match = self._accept_pattern(VALUE, 2)
        if match is not None and (match["unit"] or "") not in UNITS[unit] and " " in match[0]:
            # The word after the number is not a unit but the next condition.
            self._position -= 1
            match = VALUE.fullmatch(match["value"])
        if at is None or match is None or (match["unit"] or "") not in UNITS[unit]:
            problem = f"{sign.quoted} needs" if at is None else f"{at.quoted} is not"
            raise FilterSyntaxError(f"{problem} a number as in {NUMBER_EXAMPLES[unit]}.")
        value = float(match["value"]) * UNITS[unit][match["unit"] or ""]
        if match["unit"]:
            # 55 % is 0.55, not 0.55000000000000004.
            value = float(f"{value:.12g}")
        if not math.isfinite(value) or value < 0 or (unit == "probability" and value > 1):
            wanted = "probability: 0 to 1, or 0 % to 100 %" if unit == "probability" else "number from 0 on"
            raise FilterSyntaxError(f"{at.quoted} is no {wanted}.")
        if unit == "redshift" and value > MAX_REDSHIFT:
            raise FilterSyntaxError(f"{at.quoted} is no redshift from 0 to {MAX_REDSHIFT:g}.")
        return value

    def _parse_far(self, word: Token) -> Filter:
        op = self._peek_comparison()
        if op is None:
            raise FilterSyntaxError(f"{word.quoted} needs a comparison, like far<1/month or far<1e-8 (Hz).")
        sign = self._advance()
        at = self._current or sign
        match = self._accept_pattern(FAR, 4)
        years = None if match is None else RATE_SPANS.get(match["unit"] or "")
        unit = "yr" if years else None if match is None else RATE_UNITS.get(match["unit"] or "")
        if match is None or (match["unit"] and unit is None):
            raise FilterSyntaxError(
                f"{at.quoted} is no rate: 1/yr, 1/100yr, 1/month, 1/week, 1/day, 1/h or Hz."
            )
        found = FarCompare(op, float(match["count"]), float(match["per"] or 1) * (years or 1), unit or "Hz")
        if found.per <= 0 or found.count < 0 or not math.isfinite(found.count / found.per):
            raise FilterSyntaxError(f"{at.quoted} is no rate: both its numbers are above 0.")
        return found

    def _parse_near(self, word: Token) -> Filter:
        words = self._peek_words(12)
        try:
            ra, dec, used = parse_position(words)
        except InvalidPosition as error:
            raise FilterSyntaxError(f"{word.quoted}: {error}") from error
        self._position += used
        at = self._current
        match = self._accept_pattern(VALUE, 2)
        angle = None if match is None else ANGLES.get(match["unit"] or "")
        if at is None or match is None or angle is None:
            raise FilterSyntaxError(
                f"{word.quoted} needs a radius after the position, like 5deg or 30arcmin."
            )
        radius = round(float(match["value"]) * angle, 6)
        if not 0 < radius <= 180:
            raise FilterSyntaxError(f"{at.quoted} is no radius: more than 0, at most 180 degrees.")
        op, probability = self._parse_probability_limit()
        return Near(ConeQuery(round(ra, 6) % 360, round(dec, 6), radius), op, probability)

    def _parse_visible(self, word: Token) -> Filter:
        if not self._accept("from") or not self._peek_words(1):
            raise FilterSyntaxError(f"{word.quoted} needs a site, like visible from Palomar.")
        words = self._peek_words(_MAX_SITE_WORDS)
        name, used = words[0], 1
        is_quoted = words[0][0] in _QUOTES and words[0][-1] in _QUOTES
        if is_quoted:
            name = words[0][1:-1].strip()
        elif words[0][0] in _QUOTES:
            raise FilterSyntaxError(
                f"{self._tokens[self._position].quoted} opens a name and doesn't close it."
            )
        if self._sites is not None:
            try:
                name, used = self._sites(name.split() if is_quoted else words)
            except ValueError as error:
                raise FilterSyntaxError(str(error)) from error
            if is_quoted and used < len(words[0][1:-1].split()):
                raise FilterSyntaxError(f"{words[0][:60]} is more than one site: write a condition for each.")
        used = 1 if is_quoted else used
        if not name:
            raise FilterSyntaxError(f"{word.quoted} needs a site, like visible from Palomar.")
        self._position += used
        self._refuse_another_site()
        op, probability = self._parse_probability_limit()
        return VisibleFrom(SiteQuery(name), op, probability)

    def _refuse_another_site(self) -> None:
        """Raise FilterSyntaxError in "visible from Palomar and Keck": one condition has one site."""
        start = self._position
        joined = self._accept("and", "or")
        words = self._peek_words(_MAX_SITE_WORDS)
        self._position = start
        if self._sites is None or not words or words[0].casefold() in VOCABULARY:
            return
        try:
            _, used = self._sites(words)
        except ValueError:
            return  # a condition, or a word that is judged as one
        another = " ".join(words[:used])
        logic = "or" if joined is None else joined.normalized
        raise FilterSyntaxError(
            f'"{another[:40]}" is another site: write {logic} visible from {another[:40]} for it.'
        )

    def _parse_probability_limit(self) -> tuple[Op, float]:
        op = self._peek_comparison()
        if op is None:
            return Op.GT, DEFAULT_MIN_MAP_PROBABILITY
        return op, self._parse_value(self._advance(), "probability")


_QUOTES = '"“”„'
_MAX_SITE_WORDS = 12
"""Words that may name a site: a name with latitude and longitude in degrees, minutes and seconds."""


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
