"""Questions about stored events: `latest`, `events` and `search` take the same words, parsed here once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.filters.criteria_parser import split_off_group
from bot.filters.evaluator import (
    NO,
    NO_PROBABILITIES,
    MapProbabilities,
    TruthRange,
    evaluate_group_and_filter,
)
from bot.filters.event_attributes import EventAttributes
from bot.filters.map_conditions import SiteNameResolver
from bot.filters.parser import parse_tokens
from bot.filters.periods import EVER, Period, extract_period
from bot.filters.satisfiability import find_contradiction
from bot.filters.scope_words import Scope, is_name, split_scope
from bot.filters.stream_words import WORDS as STREAM_WORDS
from bot.filters.tokens import FilterSyntaxError, Token, tokenize
from bot.runtime.typed_text import normalize_typed_text
from formatters.models.filter import Compare, MassProbability, conditions
from formatters.models.subscription import Criteria

_FILLERS = frozenset(
    re.findall(
        r"\w+",
        "any show me give list find the a please event events alert alerts superevent superevents candidate"
        " candidates there are were was is how many what which with of received happened have has been we"
        " you did had do so for merger mergers signal signals detection detections",
    )
)
"""Words of a sentence that choose nothing, in front of and between those that do."""
_PHRASES = re.compile(r"\b(?:so far|up to now|of all time|till now|until now)\b", re.IGNORECASE)
_COUNT = re.compile(r"\d{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuestion:
    """A parsed question for stored events."""

    criteria: Criteria = field(default_factory=Criteria)
    """Group and filter alone; which kinds of events are wanted stands in `scope`."""
    scope: Scope = field(default_factory=Scope)
    period: Period = EVER
    count: int | None = None
    """The number of events that was asked for, as in "5 BNS"; None if none was."""

    def evaluate(
        self, attributes: EventAttributes, probabilities: MapProbabilities = NO_PROBABILITIES
    ) -> TruthRange:
        """Return whether the event is asked for; the period is for the store to select."""
        if not self.scope.accepts(attributes):
            return NO
        return evaluate_group_and_filter(self.criteria, attributes, probabilities)

    @property
    def text(self) -> str:
        """The question in canonical words, without period and count: "BNS only mock"; "all" if all fit."""
        parts = [self.criteria.group_and_filter.removeprefix("all "), self.scope.text]
        return " ".join(part for part in parts if part and part != "all") or "all"

    @property
    def title(self) -> str:
        """The question for a title, where "also" says that mocks … come besides: "BNS also mock"."""
        parts = [self.criteria.group_and_filter.removeprefix("all "), self.scope.title]
        return " ".join(part for part in parts if part and part != "all") or "all"

    @property
    def contradiction(self) -> str | None:
        """A sentence that says why no event can be meant; None if one may."""
        kinds = Criteria(group=self.criteria.group, filter=self.criteria.filter, lowsig=self.scope.lowsig)
        return find_contradiction(kinds)

    def unstated(self, candidates: Sequence[EventAttributes]) -> list[str]:
        """Return the quantities of the filter that none of the candidates states; none without candidates."""
        asked = dict.fromkeys(
            ("distance" if one.quantity == "z" else one.quantity) if isinstance(one, Compare) else "mchirp"
            for one in (() if self.criteria.filter is None else conditions(self.criteria.filter))
            if isinstance(one, Compare | MassProbability)
        )
        return [name for name in asked if candidates and not any(name in c.quantities for c in candidates)]


def parse_event_question(words: str, now: datetime, sites: SiteNameResolver | None = None) -> EventQuestion:
    """Parse "[N] [CBC|Burst|all] [filter] [only] [mock] [test] [lowsig] [retracted] [period]".

    Also in a sentence: "any BNS this week?". `now` is the time from which relative periods count. Raises
    FilterSyntaxError.
    """
    text = _PHRASES.sub(" ", normalize_typed_text(words)).strip().rstrip("?.!… ")
    period, rest = extract_period(tokenize(text), now)
    count, rest = _split_off_count(_without_fillers(rest))
    scope, rest = split_scope(rest)
    for word, is_there in (("circulars", scope.circulars), ("notify", _names_mention(rest))):
        if is_there:
            raise FilterSyntaxError(f'"{word}" belongs to a subscription, and this is a question.')
    if any(token.normalized in STREAM_WORDS and not is_name(rest, at) for at, token in enumerate(rest)):
        raise FilterSyntaxError('"streams" belongs to a subscription, and this is a question.')
    if any(token.normalized == "criteria" and not is_name(rest, at) for at, token in enumerate(rest)):
        raise FilterSyntaxError(
            '"criteria" belongs to a subscription; events with a grade are asked for by grade rubin-2026.'
        )
    group, filter_ = split_off_group(parse_tokens(rest, sites) if rest else None, scope.every_group)
    return EventQuestion(
        criteria=Criteria(group=group, filter=filter_), scope=scope, period=period, count=count
    )


def _names_mention(tokens: Sequence[Token]) -> bool:
    return any(token.normalized == "notify" for token in tokens)


def _without_fillers(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens without a sentence's filler words; names stay, whatever they are."""
    kept: list[Token] = []
    is_site = False
    for number, token in enumerate(tokens):
        before = tokens[number - 1].text.casefold() if number else ""
        # A site's name may have any words: "visible from the Observatory of Turku > 0.3".
        is_site = token.is_word and (is_site or before == "visible")
        if is_site or is_name(tokens, number) or token.normalized not in _FILLERS:
            kept.append(token)
    return kept


def _split_off_count(tokens: Sequence[Token]) -> tuple[int | None, list[Token]]:
    """Return a number that stands first or last by itself, and the other tokens."""
    rest = list(tokens)
    if rest and rest[0].normalized in ("last", "newest", "latest", "recent"):
        rest = rest[1:]
    if rest and _COUNT.fullmatch(rest[0].text):
        return int(rest[0].text), rest[1:]
    # In "distance<1 000" it is part of a number, and near a position part of that.
    is_after_word = len(rest) > 1 and rest[-2].text.isalpha() and rest[-2].normalized != "within"
    stands_alone = is_after_word and not any(t.normalized == "near" for t in rest)
    if stands_alone and _COUNT.fullmatch(rest[-1].text):
        return int(rest[-1].text), rest[:-1]
    return None, rest
