"""Reads "criteria A B" in a subscription: the criteria sets whose grades the channel's messages show."""

from __future__ import annotations

from collections.abc import Sequence

from bot.filters.scope_words import is_name, standing_alone_error
from bot.filters.set_names import is_language_word, read_slug
from bot.filters.tokens import FilterSyntaxError, Token
from bot.filters.vocabulary import OPS

WORD = "criteria"
QUIET = "quiet"
"""The word of the language that a set of an earlier version may be called (`quiet_words`)."""


def split_off_sets(
    tokens: Sequence[Token], *, is_canonical: bool = False
) -> tuple[tuple[str, ...], list[Token]]:
    """Return the slugs after "criteria", each once, and the other tokens. Raises FilterSyntaxError.

    A set's names end before a word of the language; in canonical words nothing else follows them, so that a
    word that the language got later still names the set.
    """
    if all(token.normalized != WORD for token in tokens):
        return (), list(tokens)
    slugs: dict[str, None] = {}
    rest: list[Token] = []
    depth = 0
    at = 0
    while at < len(tokens):
        token = tokens[at]
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.normalized != WORD or is_name(tokens, at):
            rest.append(token)
            at += 1
            continue
        end, found = _read_slugs(tokens, at, is_canonical=is_canonical)
        before = tokens[at - 1].normalized if at else ""
        after = tokens[end].normalized if end < len(tokens) else ""
        if depth > 0 or before in ("and", "or", "not") or after in ("and", "or"):
            raise standing_alone_error(token)
        slugs.update(dict.fromkeys(found))
        at = end
    return tuple(slugs), rest


def _read_slugs(tokens: Sequence[Token], at: int, *, is_canonical: bool) -> tuple[int, list[str]]:
    """Return the position after the names, and the names as slugs."""
    end = at + 1
    found: list[str] = []
    while True:
        start = end + (bool(found) and end < len(tokens) and tokens[end].normalized == "and")
        if not _names_set(tokens, start, is_canonical=is_canonical):
            break
        slug = read_slug(tokens[start].text)
        if slug is None:
            raise FilterSyntaxError(
                f"{tokens[start].quoted} is no name of a criteria set, as in criteria rubin-2026."
            )
        found.append(slug)
        end = start + 1
    if not found:
        before = "" if end == len(tokens) else f" before {tokens[end].quoted}"
        raise FilterSyntaxError(
            f"{tokens[at].quoted} needs the name of a criteria set{before}, like criteria rubin-2026."
        )
    return end, found


def _names_set(tokens: Sequence[Token], at: int, *, is_canonical: bool) -> bool:
    if at >= len(tokens) or not tokens[at].is_word:
        return False
    is_compared = at + 1 < len(tokens) and tokens[at + 1].text in OPS
    word = tokens[at].text
    return is_canonical or not (is_compared or is_language_word(word) or word.casefold() == QUIET)
