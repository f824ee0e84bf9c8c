"""Parses the criteria of a subscription: group, filter, switches, and a mention rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from bot.filters.chosen_sets import split_off_sets
from bot.filters.escalation_words import (
    EXAMPLE,
    begins_escalation,
    find_escalation_hint,
    is_like_escalate,
    parse_steps,
    split_off_escalation,
)
from bot.filters.limits import CACHE_SIZE, MAX_LENGTH, MAX_TARGETS
from bot.filters.map_conditions import SiteNameResolver
from bot.filters.parser import parse_tokens
from bot.filters.quiet_words import WORD as QUIET
from bot.filters.quiet_words import split_off_quiet
from bot.filters.scope_words import is_name, split_scope
from bot.filters.stream_words import WORDS as STREAM_WORDS
from bot.filters.stream_words import in_order, split_off_streams
from bot.filters.tokens import FilterSyntaxError, Token, tokenize
from bot.filters.vocabulary import SWITCHES
from bot.runtime.typed_text import normalize_typed_text
from formatters.models.filter import And, FieldIn, Filter, Significant, all_of
from formatters.models.related_message import Stream
from formatters.models.subscription import Criteria, MentionRule

NOTIFY_SWITCHES = {
    "notifymock": "mock",
    "notifymocks": "mock",
    "notifytest": "test",
    "notifytests": "test",
}

_GROUPS = {"cbc": "CBC", "burst": "Burst", "all": "all"}
_ANYWAY = re.compile(r"(?<!\S),?anyway[.!]?(?!\S)", re.IGNORECASE)
_MENTION_LABEL = re.compile(r"<([@!][^<>|]*)\|[^<>]*>")
_MENTION = re.compile(r"<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>")
_BROADCAST = {"@here": "<!here>", "<!here>": "<!here>", "@channel": "<!channel>", "<!channel>": "<!channel>"}


def parse_criteria(words: str, sites: SiteNameResolver | None = None) -> Criteria:
    """Parse "[CBC|Burst|all] [filter] [mock] … [streams NAME…] [quiet CONDITION] [criteria SET…] [notify …]".

    The mention rule is "notify TARGET… [if FILTER] [escalate TIME TARGET… … [TIME webhook]]". Switches and
    criteria sets may stand anywhere before `notify`, outside of "or", "not" and parentheses; case is ignored.
    A target is @here, @channel, or a person or group as Slack writes them ("<@U…|name>",
    "<!subteam^S…|@group>"). `if NS` alone means that an electromagnetic counterpart may be expected, see
    `MentionRule`. `sites` resolves the names of `visible from`; without it every name is accepted. Raises
    FilterSyntaxError for anything else.
    """
    return _parse_normalized(normalize_typed_text(words), sites)


def _parse_normalized(words: str, sites: SiteNameResolver | None, *, is_canonical: bool = False) -> Criteria:
    if "|" in words:
        # Slack adds a person's name, which may contain spaces and may change: only the id is kept.
        words = _MENTION_LABEL.sub(r"<\1>", words)
    text = " ".join(words.split())
    if len(text) > MAX_LENGTH:
        raise FilterSyntaxError(
            f"That is too long: at most {MAX_LENGTH:,} characters, and these are {len(text):,}."
        )
    what, mentions = _split_off_mentions(text)
    sets, tokens = split_off_sets(tokenize(what), is_canonical=is_canonical)
    streams, tokens = split_off_streams(tokens)
    quiet, tokens = split_off_quiet(tokens, sites)
    _refuse_stray_escalation(tokens)
    criteria = _parse_switches_and_filter(tokens, sites, streams=streams, sets=sets, quiet=quiet)
    if mentions is not None:
        criteria = replace(criteria, notify=_parse_mention_rule(mentions, criteria, sites))
    if len(criteria.canonical) > MAX_LENGTH:
        raise FilterSyntaxError(f"That is too long: written out it has more than {MAX_LENGTH:,} characters.")
    return criteria


def _split_off_mentions(text: str) -> tuple[str, str | None]:
    """Return the words before "notify", and those after it; None if it doesn't stand there."""
    if "notify" not in _normalized(text):
        return text, None
    words = text.split(" ")
    at = next((n for n, word in enumerate(words) if _normalized(word.strip(",")) == "notify"), None)
    if at is None:
        return text, None
    before = words[:at]
    if before and before[-1].casefold().strip(",") == "and":
        before.pop()  # "CBC and notify @here"
    return " ".join(before), " ".join(words[at + 1 :])


def _refuse_stray_escalation(tokens: Sequence[Token]) -> None:
    """Refuse steps without anybody who is mentioned first. Raises FilterSyntaxError."""
    if any(
        begins_escalation(token.normalized) and not is_name(tokens, at) for at, token in enumerate(tokens)
    ):
        raise FilterSyntaxError(f'"escalate" needs somebody to mention first: notify @first {EXAMPLE}.')


def split_insistence(words: str) -> tuple[str, bool]:
    """Return the words without "anyway", and True if it stood there: the person insists on the criteria."""
    rest = _ANYWAY.sub(" ", words)
    return (" ".join(rest.split()), True) if rest != words else (words, False)


@lru_cache(maxsize=CACHE_SIZE)
def parse_stored_criteria(words: str) -> Criteria:
    """Parse stored canonical words; equal words give the same object. Raises FilterSyntaxError."""
    return _parse_normalized(words, None, is_canonical=True)


def _normalized(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "")


def _quoted(word: str) -> str:
    return f'"{word}"' if len(word) <= 40 else f'"{word[:40]}…"'


def _parse_switches_and_filter(
    tokens: Sequence[Token],
    sites: SiteNameResolver | None,
    *,
    streams: Sequence[Stream],
    sets: tuple[str, ...],
    quiet: Filter | None,
) -> Criteria:
    """Separate the switches and "all" from the filter, parse it, and separate the group from that."""
    scope, rest = split_scope(tokens)
    if scope.retracted:
        raise FilterSyntaxError(
            '"retracted" chooses nothing in a subscription: a retraction goes to whoever has the event.'
        )
    group, filter_ = split_off_group(parse_tokens(rest, sites) if rest else None, scope.every_group)
    if not scope.significant:
        not_significant = ~Significant()
        filter_ = not_significant if filter_ is None else filter_ & not_significant
    return Criteria(
        group=group,
        real=scope.real,
        mock=scope.mock,
        test=scope.test,
        lowsig=scope.lowsig,
        streams=in_order({*streams, Stream.CIRCULARS}) if scope.circulars else tuple(streams),
        criteria_sets=sets,
        filter=filter_,
        quiet=quiet,
    )


def split_off_group(found: Filter | None, everything: bool) -> tuple[str, Filter | None]:
    """Return the group that the whole filter requires ("all": any), and the rest of the filter."""
    parts = found.parts if isinstance(found, And) else () if found is None else (found,)
    groups = ["all"] if everything else []
    rest: list[Filter] = []
    for part in parts:
        if isinstance(part, FieldIn) and part.canonical.casefold() in _GROUPS:
            groups.append(part.canonical)
        else:
            rest.append(part)
    if len(set(groups)) > 1:
        raise FilterSyntaxError(f'"{groups[0]}" and "{groups[1]}" together: subscribe to each, or to "all".')
    return groups[0] if groups else "all", all_of(*rest) if rest else None


def _parse_mention_rule(text: str, criteria: Criteria, sites: SiteNameResolver | None) -> MentionRule:
    words, steps = split_off_escalation(text.split())
    at = next((n for n, word in enumerate(words) if word.casefold() == "if"), len(words))
    targets: list[str] = []
    switches: set[str] = set()
    for word in " ".join(words[:at]).replace(",", " ").split():
        folded = _normalized(word)
        if folded in NOTIFY_SWITCHES:
            switches.add(NOTIFY_SWITCHES[folded])
        elif folded in SWITCHES or folded in _GROUPS or folded in STREAM_WORDS or folded == QUIET:
            raise FilterSyntaxError(f'{_quoted(word)} is nobody to mention: write it before "notify".')
        else:
            targets.append(_parse_target(word))
    if not targets:
        raise FilterSyntaxError('"notify" needs somebody to mention: @here, @channel, a person or a group.')
    targets = list(dict.fromkeys(targets))
    if len(targets) > MAX_TARGETS:
        raise FilterSyntaxError(f'"notify" mentions at most {MAX_TARGETS}: make it a user group.')
    for switch in sorted(switches):
        if not getattr(criteria, switch):
            raise FilterSyntaxError(f'"notify-{switch}s" needs "{switch}" before "notify".')
    only_ns, condition = (
        _parse_mention_condition(words[at + 1 :], sites) if at < len(words) else (False, None)
    )
    return MentionRule(
        targets=tuple(targets),
        mock="mock" in switches,
        test="test" in switches,
        only_ns=only_ns,
        condition=condition,
        escalation=() if steps is None else parse_steps(steps, _parse_target),
    )


def _parse_mention_condition(
    words: Sequence[str], sites: SiteNameResolver | None
) -> tuple[bool, Filter | None]:
    """Parse what follows `if`; return (True, None) for NS alone, (False, filter) for anything else."""
    if [word.casefold() for word in words] == ["ns"]:
        return True, None
    tokens = tokenize(" ".join(words))
    if not tokens:
        raise FilterSyntaxError('"if" needs a condition after it: if NS, or any filter.')
    for at, token in enumerate(tokens):
        if _normalized(token.text) in NOTIFY_SWITCHES:
            raise FilterSyntaxError(f'{token.quoted} belongs before "if".')
        if is_like_escalate(token.text) and not is_name(tokens, at):
            raise FilterSyntaxError(f'{token.quoted} is no condition; did you mean "escalate"?')
    return False, parse_tokens(tokens, sites)


def _parse_target(word: str) -> str:
    broadcast = _BROADCAST.get(word.casefold())
    if broadcast is not None:
        return broadcast
    if _MENTION.fullmatch(word):
        return word
    hint = find_escalation_hint(word)
    if hint is not None:
        raise FilterSyntaxError(hint)
    if word.startswith("@"):
        raise FilterSyntaxError(
            f"Slack didn't say who {_quoted(word)} is: pick the name from its list while typing."
        )
    raise FilterSyntaxError(f"{_quoted(word)} can't be mentioned: @here, @channel, a person or a group.")
