"""Reads "quiet BBH" in a subscription: of which events the posts have no push words beyond the header."""

from __future__ import annotations

from collections.abc import Sequence

from bot.filters.map_conditions import SiteNameResolver
from bot.filters.parser import parse_condition
from bot.filters.scope_words import is_name, split_scope, standing_alone_error
from bot.filters.tokens import FilterSyntaxError, Token
from bot.filters.vocabulary import SWITCHES
from formatters.models.filter import Filter, GradeCondition, conditions, map_queries

WORD = "quiet"
_EXAMPLE = "quiet BBH, or quiet (BBH or NSBH)"
_NEEDS_MORE = frozenset({"near", "visible", "within", "grade"})
"""Words of conditions that wait for the sky map or for grades."""


def split_off_quiet(
    tokens: Sequence[Token], sites: SiteNameResolver | None
) -> tuple[Filter | None, list[Token]]:
    """Return the condition after "quiet", and the other tokens. Raises FilterSyntaxError.

    It is one condition, or several in parentheses. After it no condition of the filter may follow, since
    nobody could see which of the two it belongs to. Streams and criteria sets are split off before.
    """
    if all(token.normalized != WORD for token in tokens):
        return None, list(tokens)
    found: Filter | None = None
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
        if depth > 0 or (at > 0 and tokens[at - 1].normalized in ("and", "or", "not")):
            raise standing_alone_error(token)
        if found is not None:
            raise FilterSyntaxError('"quiet" stands there twice: write one, as in quiet (BBH or NSBH).')
        found, at = _read_condition(tokens, at, sites)
        _refuse_conditions(tokens[at:])
    return found, rest


def _read_condition(tokens: Sequence[Token], at: int, sites: SiteNameResolver | None) -> tuple[Filter, int]:
    """Return the condition after the word, and the position after it."""
    if at + 1 == len(tokens):
        raise FilterSyntaxError(f'"quiet" needs a condition after it: {_EXAMPLE}.')
    word = tokens[at + 1]
    if word.normalized.replace("-", "").replace("_", "") in {*SWITCHES, "all", "only"}:
        raise FilterSyntaxError(f'{word.quoted} is no condition for "quiet": {_EXAMPLE}.')
    if word.normalized in _NEEDS_MORE:
        raise _waits_error()
    found, end = parse_condition(tokens, at + 1, sites)
    if map_queries(found) or any(isinstance(one, GradeCondition) for one in conditions(found)):
        raise _waits_error()
    if end < len(tokens) and tokens[end].normalized in ("and", "or"):
        raise FilterSyntaxError('"quiet" takes several conditions in parentheses: quiet (BBH or NSBH).')
    return found, end


def _refuse_conditions(after: Sequence[Token]) -> None:
    """Refuse conditions after that of "quiet", which might belong to either. Raises FilterSyntaxError."""
    _, left = split_scope(after)
    if left and left[0].normalized != WORD:
        word = left[0].quoted
        raise FilterSyntaxError(
            f'{word} after "quiet" isn\'t clear: write {word} before "quiet", or both in parentheses:'
            " quiet (BBH or NSBH)."
        )


def _waits_error() -> FilterSyntaxError:
    return FilterSyntaxError(
        '"quiet" takes no near, visible, within or grade, since a push can\'t wait for the sky map:'
        f" {_EXAMPLE}."
    )
