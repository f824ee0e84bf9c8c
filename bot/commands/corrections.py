"""Corrects typing errors in commands' words. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from bot.filters.vocabulary import is_filter_word

CORRECTION_CUTOFF = 0.75
"""Similarity (difflib's ratio) from which a word is a command's word with a typing error."""
_OWN_MEANING_WORDS = """
    nearest closest best biggest largest smallest loudest oldest farthest furthest brightest first rest west
    east text next least fine mind line lost past fast most mass date late later north south sky cite evening
    eventually listen mars mad made make find found site
    plane planes plain plains plant plants planet planets planck clan pan span lan place places
    quiet quite escalate
"""
_OWN_MEANING = frozenset(_OWN_MEANING_WORDS.split())
"""Words that are like a command's word and are none."""


def near_words(word: str, known: Sequence[str]) -> list[str]:
    """Return the known word that a typing error made this one of; none where it has a meaning of its own.

    "mock" is no "moc" and "nearest" no "newest"; a word with signs or digits is no word of a command.
    """
    if len(word) < 3 or not word.isalpha() or word in _OWN_MEANING or is_filter_word(word):
        return []
    return difflib.get_close_matches(word, known, n=1, cutoff=CORRECTION_CUTOFF)
