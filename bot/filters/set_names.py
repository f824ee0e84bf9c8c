"""Names of criteria sets and of their grades, as people type them."""

from __future__ import annotations

import re

from bot.filters.named_conditions import named_condition
from bot.filters.periods import belongs_to_period
from bot.filters.tokens import FilterSyntaxError, Token, tokenize
from bot.filters.vocabulary import ASTROPHYSICAL, MEANT, is_filter_word
from formatters.models.criteria_set import GRADE_NAME, GRADE_NAME_MAX, SLUG, SLUG_MAX

_OTHER_WORDS = frozenset(
    re.findall(
        "[a-z]+",
        "all and or not no without excluding only just also too including include incl included plus with from"
        " to if notify anyway as any this is the of",
    )
)
"""Words of the language that stand in no other table."""
_LOGIC = frozenset({"and", "or", "not"})


def read_slug(text: str) -> str | None:
    """Return the nearest name of a set to what was typed: "NTT_Kilonova" is "ntt-kilonova"; None for none."""
    slug = re.sub(r"[\s_-]+", "-", text.strip().casefold()).strip("-")
    return slug if SLUG.fullmatch(slug) and len(slug) <= SLUG_MAX else None


def parse_set_name(text: str) -> str:
    """Return the slug for a new criteria set's name. Raises FilterSyntaxError with one sentence.

    A word of the language is none, for after "criteria" it would end the sets' names.
    """
    slug = read_slug(text)
    if slug is None:
        raise FilterSyntaxError(
            f"{_quoted(text)} is no name of a criteria set: at most {SLUG_MAX} letters, digits and hyphens,"
            " a letter first, as in ntt-kilonova."
        )
    if is_language_word(slug):
        raise FilterSyntaxError(
            f'"{slug}" has a meaning in filters already: name the set otherwise, like {slug[:20]}-rules.'
        )
    return slug


def parse_grade_name(text: str) -> str:
    """Return a new grade's name with single blanks. Raises FilterSyntaxError with one sentence."""
    name = " ".join(text.split())
    if GRADE_NAME.fullmatch(name) is None or len(name) > GRADE_NAME_MAX or name.casefold() in _LOGIC:
        raise FilterSyntaxError(
            f"{_quoted(name)} is no name of a grade: at most {GRADE_NAME_MAX} letters, digits, + and -,"
            " a letter first, as in Gold or Priority 1."
        )
    return name


def is_language_word(word: str) -> bool:
    """Return True for a word that says something in a filter or a subscription: "BNS", "mock", "HLV"."""
    folded = word.casefold()
    plain = folded.replace("-", "").replace("_", "")
    if folded in _OTHER_WORDS or any(is_filter_word(one) or one in MEANT for one in (folded, plain)):
        return True
    if plain in ASTROPHYSICAL or belongs_to_period(folded):
        return True
    try:
        # A word that stands for another one, such as "chirp-mass", is read as that before the names are.
        is_phrase = [token.text for token in tokenize(word)] != [word]
        return is_phrase or named_condition(Token(word.upper(), 1)) is not None
    except FilterSyntaxError:
        return True


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= 40 else f'"{text[:40]}…"'
