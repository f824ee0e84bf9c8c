"""Reads "escalate 5min @second 10min webhook": who is mentioned next, and when after the first mention."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from itertools import pairwise

from bot.filters.limits import MAX_TARGETS
from bot.filters.tokens import FilterSyntaxError
from formatters.models.escalation import MAX_STEP, MAX_STEPS, MIN_STEP, WEBHOOK, EscalationStep

EXAMPLE = "escalate 5min @second 10min webhook"

_WORDS = frozenset(("escalate", "escalates", "escalation"))
_JOINING = frozenset(("and", "then", "&", "-", "—", "->"))
"""Words that people write between the parts of a rule; they say nothing more."""
_PREPOSITIONS = frozenset(("after", "at", "in"))
_SILENT = _JOINING | {
    "",
    *("to", "the", "call", "calls", "mention", "mentions", "notify", "ping", "page", "→", "⇒", "=>"),
    *("operators'", "operator's", "operators", "please"),
}
_MENTION = re.compile(r"<[@!][^<>]{1,200}>")
_NAMES = frozenset(("from", "grade"))
"""After these in a condition a word is a name."""

_NUMBER = r"\d{1,6}(?:\.\d{1,6})?"
_UNITS: dict[str, tuple[str, Decimal]] = {
    "days": (r"d|days?", Decimal(1440)),
    "hours": (r"h|hrs?|hours?", Decimal(60)),
    "minutes": (r"m|mins?|minutes?", Decimal(1)),
    "seconds": (r"s|secs?|seconds?", Decimal(1) / 60),
}
_TIME = re.compile(
    "".join(
        rf"(?:(?P<{name}>{_NUMBER}) ?-?(?:{unit})\.?(?![a-z]) ?(?:and )?)?"
        for name, (unit, _) in _UNITS.items()
    )
    # "1h30"
    + r"(?P<rest>(?<=h)[0-5]\d)?"
)
_LONGEST_TIME = 5
"""Words of the longest spelling of a time: "1 hour and 30 minutes"."""
_STARTS_AS_NUMBER = re.compile(r"[+~-]?\.?\d")
_NUMBER_WORDS = frozenset(
    (
        *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "fifteen"),
        *("twenty", "thirty", "forty", "sixty", "ninety", "half", "quarter", "a", "an", "couple", "few"),
    )
)
_RELATIVE = frozenset(("later", "more", "another", "again", "further", "every", "each", "next"))
"""Words by which a time would count from the step before, or a step would be repeated."""


@dataclass(frozen=True, slots=True)
class _Time:
    """A time after the first mention."""

    text: str
    after: timedelta
    has_preposition: bool
    """True in "after 5min"."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Somebody to mention, in Slack's syntax, or WEBHOOK."""

    target: str


def split_off_escalation(words: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return the words of a mention rule without its escalation, and those after "escalate".

    Steps end at an "if". The second is None if nothing escalates. Raises FilterSyntaxError.
    """
    starts = [at for at in range(len(words)) if _begins_escalation(words, at)]
    if not starts:
        return list(words), None
    start = starts[0]
    if len(starts) > 1:
        raise FilterSyntaxError(
            f'"escalate" stands there twice: write the steps in one row, as in {EXAMPLE}.'
        )
    end = next((at for at in range(start, len(words)) if words[at].casefold() == "if"), len(words))
    before = list(words[:start])
    while before and before[-1].casefold().strip(",;") in _JOINING | {""}:
        before.pop()
    if before:
        before[-1] = before[-1].rstrip(",;")
    return [*before, *words[end:]], list(words[start + 1 : end])


def begins_escalation(word: str) -> bool:
    """Return True for the word that begins the steps."""
    folded = word.casefold()
    return "escalat" in folded and folded.strip(",;:.") in _WORDS


def find_escalation_hint(word: str) -> str | None:
    """Return the sentence for a word among those to mention that belongs to an escalation; None for none."""
    folded = word.casefold().strip(",;:.")
    if folded in _JOINING | _PREPOSITIONS or _read_time([word], 0) is not None:
        return f'{_quoted(word)} is nobody to mention: who is next stands after "escalate", as in {EXAMPLE}.'
    if folded == WEBHOOK:
        return f"The webhook is called as the last step, after a time: {EXAMPLE}."
    if is_like_escalate(folded):
        return f'{_quoted(word)} can\'t be mentioned; did you mean "escalate"?'
    return None


def is_like_escalate(word: str) -> bool:
    """Return True for "escalate" with a slip of the fingers."""
    return bool(get_close_matches(word.casefold()[:40], _WORDS, n=1, cutoff=0.75))


def parse_steps(words: Sequence[str], parse_target: Callable[[str], str]) -> tuple[EscalationStep, ...]:
    """Parse "5min @second 10min webhook", or "@second after 5min, webhook after 10min".

    Times count from the first mention. `parse_target` reads one person or group. Raises FilterSyntaxError.
    """
    items = _read_items(_without_commas(words), parse_target)
    if not items:
        raise FilterSyntaxError(f'"escalate" needs a time and somebody after it: {EXAMPLE}.')
    times = [item for item in items if isinstance(item, _Time)]
    if not times:
        raise FilterSyntaxError(f'"escalate" needs a time before whom it mentions next: {EXAMPLE}.')
    groups = _group_by_leading_times(items) if items[0] is times[0] else _group_by_following_times(items)
    if len(groups) > MAX_STEPS:
        raise FilterSyntaxError(f'"escalate" takes at most {MAX_STEPS} steps, and these are {len(groups)}.')
    for (earlier, _), (later, _) in pairwise(groups):
        if later.after <= earlier.after:
            raise FilterSyntaxError(
                f'"{later.text}" isn\'t later than "{earlier.text}": all times count from the first mention.'
            )
    return tuple(
        _step(time, targets, is_last=at == len(groups)) for at, (time, targets) in enumerate(groups, start=1)
    )


def parse_minutes(text: str) -> timedelta:
    """Parse the time of a step: "5", which are minutes, "5min", "1h". Raises FilterSyntaxError."""
    words = text.split()
    found = _read_time([f"{text}min"] if text.isdecimal() else words, 0)
    if found is None or (found[1] < len(words)):
        raise FilterSyntaxError(f"{_quoted(text)} is no time: minutes after the first mention, like 5.")
    _check_length(text, found[0])
    return _whole_minutes(found[0])


def _begins_escalation(words: Sequence[str], at: int) -> bool:
    if not begins_escalation(words[at]):
        return False
    condition = [word.casefold() for word in words[:at]]
    if "if" not in condition:
        return True
    # In a condition it may be a site's, a set's or a grade's name.
    last = condition[-1]
    is_name = last in _NAMES or (last[-1] in "<>=≤≥|" and last[0] != "<")
    return not is_name and " ".join(condition).count('"') % 2 == 0


def _without_commas(words: Sequence[str]) -> list[str]:
    """Return the words parted at mentions, commas, semicolons and colons; a number keeps its comma."""
    text = _MENTION.sub(r" \g<0> ", " ".join(words))
    return re.sub(r"[;:]|(?<!\d),|,(?!\d)", " ", text).split()


def _read_items(words: Sequence[str], parse_target: Callable[[str], str]) -> list[_Time | _Target]:
    items: list[_Time | _Target] = []
    at = 0
    preposition = False
    while at < len(words):
        word = words[at]
        folded = word.casefold().rstrip(".!")
        found = _read_time(words, at)
        if found is not None:
            after, count = found
            text = " ".join(words[at : at + count])
            _check_length(text, after)
            items.append(_Time(text, after, preposition))
            at += count
            if at < len(words) and words[at].casefold().rstrip(".!") in _RELATIVE:
                raise _relative_error(words[at])
        elif folded in _PREPOSITIONS:
            at += 1
            preposition = True
            continue
        elif folded.replace("-", "") == WEBHOOK:
            items.append(_Target(WEBHOOK))
            at += 1
        elif folded in _SILENT:
            at += 1
            continue
        else:
            _refuse_other_words(word, folded)
            _refuse_word_for_time(words, at, items)
            items.append(_Target(parse_target(word)))
            at += 1
        preposition = False
    return items


def _read_time(words: Sequence[str], at: int) -> tuple[timedelta, int] | None:
    """Return the time that stands there and the number of its words; None if none does."""
    for count in range(min(_LONGEST_TIME, len(words) - at), 0, -1):
        text = " ".join(words[at : at + count]).casefold()
        match = _TIME.fullmatch(text.rstrip(".!")) if len(text) <= 60 else None
        if match is None or text.endswith("and") or not any(match[name] for name in _UNITS):
            continue
        minutes = Decimal(match["rest"] or 0)
        for name, (_, unit) in _UNITS.items():
            minutes += Decimal(match[name] or 0) * unit
        return timedelta(minutes=float(minutes)), count
    return None


def _check_length(text: str, after: timedelta) -> None:
    if not MIN_STEP <= after <= MAX_STEP:
        raise FilterSyntaxError(f'"{text}" is no time of a step: 1min to 12h after the first mention.')
    if abs(after - _whole_minutes(after)) > timedelta(milliseconds=1):
        raise FilterSyntaxError(f'"{text}" isn\'t a whole number of minutes, like 5min.')


def _whole_minutes(after: timedelta) -> timedelta:
    return timedelta(minutes=round(after / timedelta(minutes=1)))


def _refuse_other_words(word: str, folded: str) -> None:
    """Raise FilterSyntaxError for a word that is nobody to mention, where more can be said than that."""
    if folded in _RELATIVE or word[:1] == "+":
        raise _relative_error(word)
    if re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", folded):
        raise FilterSyntaxError(f'"{word}" needs a unit: {folded}min, or h for hours.')
    if _STARTS_AS_NUMBER.match(word):
        raise FilterSyntaxError(f"{_quoted(word)} is no time of a step: write it like 5min or 2h.")
    if folded in _NUMBER_WORDS:
        raise FilterSyntaxError(f"{_quoted(word)} isn't clear: write the time in digits, like 5min.")
    if folded.replace("-", "").startswith("notify"):
        raise FilterSyntaxError(f'{_quoted(word)} belongs before "escalate".')
    if folded.lstrip("@") in ("web", "hook", "hooks", "webhooks", "pagerduty", "ntfy", WEBHOOK):
        raise FilterSyntaxError(f"{_quoted(word)} isn't clear: write \"webhook\" for the operators' webhook.")
    if folded in ("min", "mins", "minutes", "minute", "h", "hour", "hours"):
        raise FilterSyntaxError(f"{_quoted(word)} needs a number before it, like 5min.")


def _refuse_word_for_time(words: Sequence[str], at: int, items: Sequence[_Time | _Target]) -> None:
    """Raise FilterSyntaxError for a word that is nobody's name where a time may be missing: "soon @b"."""
    word = words[at]
    if _is_somebody(word) or word.startswith("@") or find_escalation_hint(word) is not None:
        return
    has_time = bool(items) and isinstance(items[-1], _Time)
    # Slack leaves "@b" as it is typed where it knows nobody of that name.
    following = next((one for one in words[at + 1 :] if _is_somebody(one) or one.startswith("@")), None)
    if not items and following is None and not _has_time(words, at + 1):
        raise FilterSyntaxError(
            f"{_quoted(word)} is no time: a time is missing, and who is mentioned then, as in {EXAMPLE}."
        )
    if has_time or following is None:
        return
    whom = _shown_name(following)
    if not items:
        raise FilterSyntaxError(
            f"{_quoted(word)} is no time: a time is missing before {whom}, as in {EXAMPLE}."
        )
    raise FilterSyntaxError(
        f"{_quoted(word)} is neither a time nor somebody to mention: is a time missing before {whom}?"
    )


def _is_somebody(word: str) -> bool:
    """Return True for a mention in Slack's syntax, a broadcast, and the webhook."""
    folded = word.casefold().rstrip(".!")
    return (
        _MENTION.fullmatch(word) is not None
        or folded in ("@here", "@channel", "@everyone")
        or folded.replace("-", "") == WEBHOOK
    )


def _has_time(words: Sequence[str], start: int) -> bool:
    """Return True if a time stands anywhere from that word on."""
    return any(_read_time(words, at) is not None for at in range(start, len(words)))


def _shown_name(word: str) -> str:
    """Return somebody to mention in words: Slack's syntax has only the id of a person or group."""
    shown = word.rstrip(".!")
    return "the next person or group" if _MENTION.fullmatch(word) or len(shown) > 40 else shown


def _relative_error(word: str) -> FilterSyntaxError:
    return FilterSyntaxError(
        f"{_quoted(word)} isn't clear: write when each step comes after the first mention, as in {EXAMPLE}."
    )


def _group_by_leading_times(items: Sequence[_Time | _Target]) -> list[tuple[_Time, list[str]]]:
    """Split "5min @a @b 10min @c" at its times."""
    groups: list[tuple[_Time, list[str]]] = []
    for item in items:
        if isinstance(item, _Time):
            groups.append((item, []))
        else:
            groups[-1][1].append(item.target)
    empty = next((time for time, targets in groups if not targets), None)
    if empty is not None:
        raise FilterSyntaxError(f'"{empty.text}" has nobody after it: write each time before whom it is for.')
    return groups


def _group_by_following_times(items: Sequence[_Time | _Target]) -> list[tuple[_Time, list[str]]]:
    """Split "@a @b after 5min @c after 10min" behind its times, each of which has its preposition."""
    groups: list[tuple[_Time, list[str]]] = []
    waiting: list[str] = []
    for item in items:
        if isinstance(item, _Target):
            waiting.append(item.target)
        elif waiting and item.has_preposition:
            groups.append((item, waiting))
            waiting = []
        else:
            raise FilterSyntaxError(
                f'Whom "{item.text}" is for isn\'t clear: write it before, as in {EXAMPLE}.'
            )
    if waiting:
        raise FilterSyntaxError(
            f'The last of "escalate" has no time: write each time first, as in {EXAMPLE}.'
        )
    return groups


def _step(time: _Time, targets: Sequence[str], *, is_last: bool) -> EscalationStep:
    chosen = tuple(dict.fromkeys(targets))
    if WEBHOOK in chosen:
        if len(chosen) > 1 or not is_last:
            raise FilterSyntaxError(f'"webhook" stands alone, as the last step: {EXAMPLE}.')
        return EscalationStep(after=_whole_minutes(time.after), webhook=True)
    if len(chosen) > MAX_TARGETS:
        raise FilterSyntaxError(f"A step mentions at most {MAX_TARGETS}: make it a user group.")
    return EscalationStep(after=_whole_minutes(time.after), targets=chosen)


def _quoted(word: str) -> str:
    return f'"{word}"' if len(word) <= 40 else f'"{word[:40]}…"'
