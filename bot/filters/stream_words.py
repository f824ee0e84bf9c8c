"""Reads "streams circulars icecube" in a subscription: whose messages the Follow-up reply lists."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from bot.filters.scope_words import is_name, standing_alone_error
from bot.filters.set_names import is_language_word
from bot.filters.tokens import FilterSyntaxError, Token
from formatters.models.related_message import CANDIDATE_STREAMS, THREAD_STREAMS, Stream

WORDS = ("streams", "stream")

_NAMES = {stream.value: stream for stream in THREAD_STREAMS} | {
    "circular": Stream.CIRCULARS,
    "gcn": Stream.CIRCULARS,
    "gcns": Stream.CIRCULARS,
    "neutrinos": Stream.ICECUBE,
    "swift": Stream.GUANO,
    "bat": Stream.GUANO,
    "grbs": Stream.NEARBY,
}
_LIST = ", ".join(THREAD_STREAMS)
_CIRCULARS = frozenset(("circular", "circulars"))
_STRAY = frozenset(stream.value for stream in THREAD_STREAMS) - _CIRCULARS
_OTHERWISE_MEANT = frozenset((Stream.ICECUBE.value,))
"""Streams whose name is a condition as well, where no stream is asked for: coincidences with IceCube."""
_CANDIDATES = frozenset(stream.value for stream in CANDIDATE_STREAMS)
_ALL_WORDS = _STRAY | _CANDIDATES | frozenset(WORDS)
"""Words without which a text says nothing about streams, "circulars" alone excepted."""
_OPERATORS = frozenset(("=", "==", "!=", "and", "or", "not", "("))


def split_off_streams(tokens: Sequence[Token]) -> tuple[tuple[Stream, ...], list[Token]]:
    """Return the streams after "streams" in the order of THREAD_STREAMS, and the other tokens.

    The names end before the first word that names no stream. Raises FilterSyntaxError.
    """
    if _ALL_WORDS.isdisjoint(token.normalized for token in tokens):
        return (), list(tokens)
    chosen: set[Stream] = set()
    rest: list[Token] = []
    depth = 0
    at = 0
    while at < len(tokens):
        token = tokens[at]
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.normalized not in WORDS or is_name(tokens, at):
            rest.append(token)
            at += 1
            continue
        end, found = _read_streams(tokens, at)
        before = tokens[at - 1].normalized if at else ""
        after = tokens[end].normalized if end < len(tokens) else ""
        if depth > 0 or before in ("and", "or", "not") or after in ("and", "or"):
            raise standing_alone_error(token)
        chosen |= found
        at = end
    _refuse_stray_names(rest, chosen)
    return in_order(chosen), rest


def _refuse_stray_names(tokens: Sequence[Token], chosen: set[Stream]) -> None:
    """Refuse a stream's name that stands apart from "streams", and names of streams nobody subscribes to.

    "circulars icecube" would be a filter that leaves only the few alerts which coincide with IceCube's, and
    the channel silent. Raises FilterSyntaxError.
    """
    words = [token.normalized for token in tokens]
    if _CIRCULARS.intersection(words):
        chosen = {*chosen, Stream.CIRCULARS}
    for before, token in zip(["", *words], tokens, strict=False):
        if before in _OPERATORS:
            continue
        if token.normalized in _CANDIDATES:
            raise _no_subscription_error(token)
        if token.normalized in _STRAY and (chosen or token.normalized not in _OTHERWISE_MEANT):
            streams = in_order({*chosen, Stream(token.normalized)})
            condition = " Alerts that coincide with its own: observatory=IceCube."
            raise FilterSyntaxError(
                f'{token.quoted} belongs after "streams"; for the thread: streams {" ".join(streams)}.'
                + (condition if token.normalized == Stream.ICECUBE else "")
            )


def in_order(streams: set[Stream]) -> tuple[Stream, ...]:
    """Return streams in the order of a subscription's canonical text."""
    return tuple(stream for stream in THREAD_STREAMS if stream in streams)


def _read_streams(tokens: Sequence[Token], at: int) -> tuple[int, set[Stream]]:
    """Return the position after the names, and the streams. Raises FilterSyntaxError."""
    end = at + 1
    found: set[Stream] = set()
    while end < len(tokens):
        start = end + (bool(found) and tokens[end].normalized == "and")
        stream = _NAMES.get(tokens[start].normalized) if start < len(tokens) else None
        if stream is None:
            break
        found.add(stream)
        end = start + 1
    if end == len(tokens):
        if found:
            return end, found
        raise FilterSyntaxError(f"{tokens[at].quoted} needs names after it: {_LIST}.")
    word = tokens[end]
    if word.normalized in _CANDIDATES:
        raise _no_subscription_error(word)
    near = get_close_matches(word.normalized, _NAMES, n=1, cutoff=0.75 if found else 0.6)
    # After names anything else of the language may follow; what is nearly a name is one that was mistyped.
    if found and not (near and word.is_word and not is_language_word(word.text)):
        return end, found
    hint = f"; {near[0]}?" if near else "."
    raise FilterSyntaxError(f"{word.quoted} is none of the streams {_LIST}{hint}")


def _no_subscription_error(token: Token) -> FilterSyntaxError:
    return FilterSyntaxError(
        f"{token.quoted} needs no subscription: it fills the table of /gwevent candidates."
    )
