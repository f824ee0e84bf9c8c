"""Names of criteria sets and of their grades, as people type them."""

from __future__ import annotations

import re

from bot.filters.named_conditions import named_condition
from bot.filters.periods import belongs_to_period
from bot.filters.tokens import FilterSyntaxError, make_token, tokenize
from bot.filters.vocabulary import ASTROPHYSICAL, MEANT, is_filter_word
from formatters.models.criteria_set import SLUG, SLUG_MAX

_OTHER_WORDS = frozenset(
    re.findall(
        r"\w+",
        "all and or not no without excluding only just also too including include incl included plus with"
        " from to if notify streams stream anyway as any this is the of",
    )
)
"""Words of the language that stand in no other table."""


def read_slug(text: str) -> str | None:
    """Return the nearest name of a set to what was typed: "NTT_Kilonova" is "ntt-kilonova"; None for none."""
    slug = re.sub(r"[\s_-]+", "-", text.strip().casefold()).strip("-")
    return slug if SLUG.fullmatch(slug) and len(slug) <= SLUG_MAX else None


def is_language_word(word: str) -> bool:
    """Return True for a word that says something in a filter or a subscription: "BNS", "mock", "HLV".

    A new criteria set may not be called by one, since after "criteria" the sets' names end before it.
    """
    folded = word.casefold()
    plain = folded.replace("-", "").replace("_", "")
    if folded in _OTHER_WORDS or any(is_filter_word(one) or one in MEANT for one in (folded, plain)):
        return True
    if plain in ASTROPHYSICAL or belongs_to_period(folded):
        return True
    try:
        # A word that stands for another one, such as "chirp-mass", is read as that before the names are.
        is_phrase = [token.text for token in tokenize(word)] != [word]
        return is_phrase or named_condition(make_token(word.upper(), 1)) is not None
    except FilterSyntaxError:
        return True
