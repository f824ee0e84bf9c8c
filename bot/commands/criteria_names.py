"""Finds the criteria sets that a person names, as strictly or loosely as people write them. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from bot.commands.errors import CommandError
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.criteria_set import SLUG_MAX, CriteriaSet

_MARKS = " \t\n,;:.?!\"'`()“”"
_FILLERS = frozenset({"set", "sets", "criteria", "criterion", "the", "of", "for", "in", "by", "on", "and"})
_MAX_NAMED = 12
"""Names that an error lists."""
_MAX_WORDS = 60
"""Words that are read as names: enough for a dozen long ones."""
_NEAR = 0.6
"""Similarity (difflib's ratio) from which a name is offered for another."""


def find_sets(text: str, sets: Mapping[str, CriteriaSet]) -> list[CriteriaSet]:
    """Return the sets that a text names and nothing else; none for an empty text.

    "rubin-2026", "Rubin 2026" and, where no other begins so, "rubin" name the same. Raises CommandError for
    words that name none, or several.
    """
    words = [word for word in map(_stripped, text.split()) if word and word not in _FILLERS]
    if len(words) > _MAX_WORDS:
        raise CommandError(f"That is too long: name at most {_MAX_NAMED} criteria sets.")
    found: list[CriteriaSet] = []
    while words:
        # The longest name first: with a set "rubin" too, "rubin 2026" is still the other.
        for count in range(min(len(words), SLUG_MAX), 0, -1):
            named = _named_by("-".join(words[:count]), sets)
            if len(named) == 1:
                found += [one for one in named if one not in found]
                del words[:count]
                break
        else:
            raise CommandError(_no_such_set(words, sets))
    return found


def mentioned_sets(sentence: str, sets: Mapping[str, CriteriaSet]) -> list[CriteriaSet]:
    """Return the sets that stand somewhere in a sentence, in their own order; other words are ignored.

    A set is meant by its whole name, and by the first word of it where that is no word of every question.
    """
    words = [word for word in map(_stripped, sentence.split()) if word]
    joined = f"-{'-'.join(words)}-"
    firsts = {word for word in words if len(word) >= _MIN_FIRST_WORD and word not in _COMMON}
    return [
        one
        for slug, one in sets.items()
        if f"-{slug}-" in joined or _squeezed(slug) in words or slug.partition("-")[0] in firsts
    ]


_MIN_FIRST_WORD = 3
_COMMON_WORDS = """
    would will what which why only does not the this that event grade grades gold silver bronze trigger any
    our all map sky new old best bns nsbh bbh cbc burst mock test one two
"""
_COMMON = frozenset(_COMMON_WORDS.split())
"""Words that a question has anyway, so that they name no set by its first word alone."""


def _stripped(word: str) -> str:
    return word.strip(_MARKS).casefold().replace("_", "-").removesuffix("'s")


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name)


def _named_by(name: str, sets: Mapping[str, CriteriaSet]) -> list[CriteriaSet]:
    """Return the set of this name, else those whose name begins with it at a word's end."""
    if name in sets:
        return [sets[name]]
    squeezed = _squeezed(name)
    same = [one for slug, one in sets.items() if _squeezed(slug) == squeezed]
    return same or [one for slug, one in sets.items() if slug.startswith(f"{name}-")]


def _no_such_set(words: Sequence[str], sets: Mapping[str, CriteriaSet]) -> str:
    shown = plain_text(" ".join(words), 40)
    several = _named_by(words[0], sets)
    if len(several) > 1:
        return (
            f"“{shown}” may be {' or '.join(one.slug for one in several[:_MAX_NAMED])}: write the whole name."
        )
    by_beginning = {slug.partition("-")[0]: slug for slug in sets} | {slug: slug for slug in sets}
    near = [
        found
        for typed in ("-".join(words)[: 2 * SLUG_MAX], words[0][: 2 * SLUG_MAX])
        for found in difflib.get_close_matches(typed, by_beginning, n=1, cutoff=_NEAR)
    ]
    offered = f" Did you mean {by_beginning[near[0]]}?" if near else ""
    return f"There is no criteria set “{shown}”.{offered} {_there_are(sets)}"


def _there_are(sets: Mapping[str, CriteriaSet]) -> str:
    # The workspace's own come first: they are the likelier ones.
    names = sorted(sets, key=lambda slug: sets[slug].is_built_in)
    listed = ", ".join(names[:_MAX_NAMED])
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"There are: {listed}{more}." if names else "There is none yet."
