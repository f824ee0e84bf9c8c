"""What stands after `observe`: the instrument, plan, done or cancel, and what is said of it. Pure."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bot.commands.errors import CommandError
from bot.commands.observe_fields import FieldRow, PastedFields, parse_fields, take_positions
from bot.commands.observe_sentences import TOLD
from bot.commands.observe_targets import (
    Target,
    find_target,
    known_names,
    named_target,
    similar_names,
    take_target,
)
from bot.commands.observe_times import take_labelled_time, take_time
from bot.commands.observe_values import Values, is_band, parse_values, take_band
from bot.commands.plan_words import PLAN_WORDS
from bot.observing.instruments import Instruments
from bot.runtime.typed_text import normalize_typed_text
from formatters.models.observing import ChannelSites
from formatters.text import quantities

OBSERVE_WORDS = ("observe", "obs", "observing", "observes", "observation", "observations", "observed")
"""The words of the command, in lower case."""
EXAMPLES = "observe ZTF plan, observe ZTF done 12 r 21.5, observe ZTF cancel clouds"
_BEFORE_INFINITIVE = frozenset(("to", "and", "how", "not", "never"))
_NOUNS = frozenset(("observing", "observation", "observations"))
_PLAN_NOUNS = frozenset(("plan", "plans", "schedule", "schedules", "queue"))
NOTE_MAX = 300
"""Characters of a remark."""


class Verb(StrEnum):
    """What is reported."""

    OBSERVING = "observing"
    """Somebody observes, and doesn't say which fields."""
    PLAN = "plan"
    DONE = "done"
    CANCEL = "cancel"
    UNDO = "undo"
    """The last report of what was done was wrong, or about another event."""


_PLAN_VERBS = """plan plans planning planned schedule scheduled queue queued"""
_DONE_VERBS = """done observed complete completed finish finished taken executed"""
_CANCEL_VERBS = """cancel cancelled canceled cancels drop dropped abort aborted skip skipped"""
_UNDO_VERBS = """undo remove removed delete deleted revert"""
_REPORT_WORDS = frozenset(("done", "report", "reported", "last", "latest", "that", "this", "it", "the", "my"))
"""Words behind `cancel` and `undo` by which the report of what was done is meant."""
_VERBS = {
    **dict.fromkeys(_PLAN_VERBS.split(), Verb.PLAN),
    **dict.fromkeys(_DONE_VERBS.split(), Verb.DONE),
    **dict.fromkeys(_CANCEL_VERBS.split(), Verb.CANCEL),
    **dict.fromkeys(_UNDO_VERBS.split(), Verb.UNDO),
    **dict.fromkeys(("observing", "observes", "observe"), Verb.OBSERVING),
}
_LIST_WORDS = frozenset(["show", "list", "all", "status", "who", "what", "?"])
_FILLER_WORDS = """
    the with at on using use we i me my our are is am it this that event please pls tonight now will for of in
    to telescope instrument site going i'm im we're
"""
_FILLERS = frozenset(_FILLER_WORDS.split())
_UNNAMED = frozenset(("telescope", "instrument", "site"))
"""Fillers that stand for an instrument: where none is named, which one they mean isn't told."""
_EITHER_CASE = frozenset("UGRIY")
"""Bands of which the small letter is another band."""
_NEGATION_WORDS = "not don't didn't can't cannot won't no stop stopped never"
_NEGATIONS = frozenset(_NEGATION_WORDS.split())
_QUOTED = re.compile(r"\"([^\"\n]{1,80})\"")
_NOTE = re.compile(r"(?<![\w-])(?:notes?|remarks?|comments?|because)\b[\s:=]*(?P<note>.*)$", re.IGNORECASE)
_ANGLE = re.compile(
    r"(?<![\w-])(?:pa|position angle|posang)\s*[=:]?\s*"
    r"(?P<angle>[+-]?\d{1,3}(?:\.\d{1,4})?)\s*(?:deg|°)?(?![\w.])",
    re.IGNORECASE,
)
_WITHOUT = re.compile(r"\b(?:without|no)\s+(?:a\s+|any\s+)?(?:telescope|instrument)\b", re.IGNORECASE)
_SIMILAR = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveWords:
    """What the words report."""

    verb: Verb
    target: Target | None
    """None if no instrument is named."""
    is_myself: bool = False
    """True for "without a telescope": the person alone observes."""
    fields: PastedFields | None = None
    values: Values = field(default_factory=Values)
    observed_at: datetime | None = None
    plan_words: str = ""
    """For a plan without pasted fields: what `plan` reads, without the instrument."""
    note: str = ""


def expand_observe(word: str, arguments: str) -> tuple[str, str] | None:
    """Return the command and arguments that "observe …" or "plan ZTF observe" stand for; None for others."""
    words = [one.casefold().strip(",.!?") for one in arguments.split()]
    if word in PLAN_WORDS and words[-1:] == ["observe"] and words[-2:-1] and words[-2] in _BEFORE_INFINITIVE:
        # "plan to observe" tells an intention, and nothing is stored for it.
        return word, " ".join(
            one for one in arguments.split()[:-1] if one.casefold() not in _BEFORE_INFINITIVE
        )
    if word in _NOUNS and words[:1] and words[0] in _PLAN_NOUNS:
        # "observing plan" is a plan, "observe plan" makes one.
        return PLAN_WORDS[0], " ".join(arguments.split()[1:])
    if word in PLAN_WORDS and words and "observe" in (words[0], words[-1]):
        rest = arguments.split()
        del rest[0 if words[0] == "observe" else -1]
        if rest:
            return "observe change", f"plan {' '.join(rest)}"
    if word not in OBSERVE_WORDS:
        return None
    if words[:1] == ["help"]:
        return "help", "observe"
    if all(one in _LIST_WORDS or one in _FILLERS for one in words):
        return "observe", ""
    # "observed ZTF r 21.5" tells what was done, and stays as it was typed.
    return "observe change", f"{word} {arguments}" if word == TOLD else arguments


def parse_observe_words(
    text: str, own: ChannelSites, instruments: Instruments, now: datetime
) -> ObserveWords:
    """Read the words after `observe`, and the lines of fields below them. Raises CommandError."""
    line, *lines = normalize_typed_text(text).strip().split("\n")
    pasted = parse_fields(lines) if any(one.strip() for one in lines) else None
    note = ""
    if (noted := _NOTE.search(line)) is not None:
        note, line = noted["note"], line[: noted.start()]
    if _WITHOUT.search(line):
        rest = [one for one in _WITHOUT.sub(" ", line).split() if one.casefold() not in _FILLERS]
        verb = _VERBS.get(rest[0].casefold()) if rest else Verb.OBSERVING
        if verb not in (Verb.OBSERVING, Verb.CANCEL) or len(rest) > 1 or pasted is not None:
            raise CommandError(f"Fields belong to a telescope: {EXAMPLES}.")
        return ObserveWords(verb=verb, target=None, is_myself=True)
    quoted = _QUOTED.search(line)
    if quoted is not None:
        line = f"{line[: quoted.start()]} {line[quoted.end() :]}"
    words = line.split()
    if words and words[0].casefold() in ("is", "isn't", "has", "have", "did", "does", "was", "were"):
        raise CommandError(
            "Nothing was changed, since that was a question; /gwevent observe lists what is reported."
        )
    if words and words[0].casefold() in ("from", "when", "where", "how", "can", "could", "should"):
        raise CommandError(
            "To see what a site can observe: /gwevent visible Palomar. To say that you observe: observe"
            " Palomar."
        )
    verb, before, after = _split_at_verb(words, own, instruments)
    if quoted is not None:
        target: Target | None = named_target(quoted[1], own, instruments, is_quoted=True)
        after = [*_without_fillers(before), *after]
    else:
        unnamed = [*before, *(after if verb is not Verb.CANCEL else ())]
        target, after = _find_target(verb, _without_fillers(before), after, own, instruments)
        if target is None and any(one.casefold().strip(",.;:!?") in _UNNAMED for one in unnamed):
            # "My telescope done r 20.5": that is its name, and no other one's report.
            raise CommandError(_unknown([], own, instruments))
    behind = {word.casefold().strip(" ,:;.!()-") for word in after}
    if verb is Verb.CANCEL and behind <= _REPORT_WORDS and behind & {"done", "report", "reported"}:
        # "cancel done" isn't a plan that is given up for the reason "done".
        verb = Verb.UNDO
    if verb is Verb.UNDO:
        if not behind <= _REPORT_WORDS or pasted is not None:
            raise CommandError(
                f"“{' '.join(after)[:40]}” is nothing I know here: undo takes back the telescope's last"
                " report of what was done, as in observe ZTF undo."
            )
        return ObserveWords(verb=verb, target=target)
    if verb is Verb.CANCEL:
        reason = " ".join(after).strip(" ,:;()-")
        return ObserveWords(verb=verb, target=target, note=_note(f"{reason} {note}"))
    if verb is Verb.OBSERVING:
        rest = _without_fillers(after)
        if rest:
            _refuse_second_target(target, rest, own, instruments)
            raise CommandError(_unknown(rest, own, instruments))
        if pasted is not None:
            raise CommandError("Are these fields planned or done? Write plan or done behind the telescope.")
        return ObserveWords(verb=verb, target=target, note=_note(note))
    try:
        read = _with_values(verb, target, " ".join(after), pasted, note, now)
    except CommandError:
        _refuse_second_target(target, after, own, instruments)
        raise
    if read.values.band in _EITHER_CASE and line.isupper():
        # With caps lock on nobody knows which of the two bands is meant.
        band = read.values.band
        raise CommandError(
            f"All of it is in capitals: {band}, or {band.casefold()}? Write the band as it is."
        )
    return read


def _with_values(
    verb: Verb, target: Target | None, text: str, pasted: PastedFields | None, note: str, now: datetime
) -> ObserveWords:
    """Read time, position angle, fields in the line, and what is said of them."""
    angle = None
    if (turned := _ANGLE.search(text)) is not None:
        angle = float(turned["angle"]) % 360
        text = f"{text[: turned.start()]} {text[turned.end() :]}"
    observed_at, until = None, ""
    if verb is Verb.DONE or pasted is not None:
        observed_at, until, text = take_labelled_time(text, now)
    fields, text = take_positions(text)
    if fields and pasted is not None:
        raise CommandError("Fields stand in one place: below the words, one on each line.")
    if fields:
        pasted = PastedFields(rows=tuple(FieldRow(field=one) for one in fields))
    if pasted is not None and angle is not None:
        pasted = _turned(pasted, angle)
    if observed_at is None and (verb is Verb.DONE or pasted is not None):
        observed_at, until, text = take_time(text, now)
    if verb is Verb.PLAN:
        if observed_at is not None:
            raise CommandError(
                "A plan's fields have their own times: paste them with a time on each line, or leave the"
                " time out."
            )
        return _plan(target, text, pasted, note, angle)
    values = parse_values(text.split())
    if pasted is None and angle is not None:
        raise CommandError("A position angle belongs to fields that are pasted with it.")
    if pasted is not None and values.selection is not None and values.selection != _all_of(pasted, values):
        raise CommandError(
            f"The lines have {quantities.pluralize(len(pasted.rows), 'field')}: leave out which ones"
            " of a plan are meant."
        )
    remark = " ".join(part for part in (until, values.remark, note) if part)
    return ObserveWords(
        verb=verb, target=target, fields=pasted, values=values, observed_at=observed_at, note=_note(remark)
    )


def _all_of(pasted: PastedFields, values: Values) -> object:
    """Return the selection if it says no more than the pasted lines do: "done 3 r 21" above three lines."""
    selection = values.selection
    if selection is None or selection.is_all or selection.first == len(pasted.rows):
        return selection
    return None


def _plan(
    target: Target | None, text: str, pasted: PastedFields | None, note: str, angle: float | None
) -> ObserveWords:
    band, rest = take_band(text.split())
    if pasted is not None:
        values = parse_values(rest)
        is_same = values.selection is None or values.selection == _all_of(pasted, values)
        if not is_same or values.depth is not None:
            raise CommandError("A plan of pasted fields takes a band, and no other words but a note.")
        rest = []
    elif angle is not None:
        raise CommandError("A position angle belongs to fields that are pasted with it.")
    return ObserveWords(
        verb=Verb.PLAN,
        target=target,
        fields=pasted,
        values=Values(band=band),
        plan_words=" ".join(rest),
        note=_note(note),
    )


def _turned(pasted: PastedFields, angle: float) -> PastedFields:
    rows = tuple(replace(row, field=replace(row.field, position_angle=angle)) for row in pasted.rows)
    return PastedFields(rows=rows, notes=pasted.notes)


def _split_at_verb(
    words: list[str], own: ChannelSites, instruments: Instruments
) -> tuple[Verb, list[str], list[str]]:
    """Return the verb, the words before it and those behind it. Raises CommandError for a negation."""
    target, behind = take_target(_without_fillers(words), own, instruments)
    for at, word in enumerate(words):
        folded = word.casefold().strip(",.:;!")
        if folded in _NEGATIONS:
            raise CommandError(
                f"“{word}”: to take something back, write cancel, as in observe ZTF cancel clouds; your own"
                " name on the card: observe cancel without a telescope."
            )
        verb = _VERBS.get(folded)
        # A name may hold such a word, and a verb ends the name.
        if verb is not None and find_target(" ".join(words[: at + 1]), own, instruments) is None:
            if verb is Verb.OBSERVING and at + 1 < len(words):
                rest_verb, before, after = _split_at_verb(words[at + 1 :], own, instruments)
                return rest_verb, [*words[:at], *before], after
            return verb, words[:at], words[at + 1 :]
    near = [
        difflib.get_close_matches(word.casefold(), _VERBS, n=1, cutoff=_SIMILAR)
        for word in (behind if target is not None else words)
        if len(word) > 3 and not is_band(word) and find_target(word, own, instruments) is None
    ]
    meant = next((_VERBS[found[0]].value for found in near if found), None)
    if meant is not None:
        raise CommandError(f"Did you mean “{meant}”? It reads like this: {EXAMPLES}.")
    return Verb.OBSERVING, [], words


def _find_target(
    verb: Verb, before: list[str], after: list[str], own: ChannelSites, instruments: Instruments
) -> tuple[Target | None, list[str]]:
    """Return the instrument that is named before or behind the verb, and the other words."""
    if before:
        target, rest = take_target(before, own, instruments)
        if target is not None:
            # "ZTF 12 done r": what stands between belongs to what follows.
            return target, [*rest, *after]
        if not any(character.isdigit() for word in before for character in word) or len(before) == 1:
            return named_target(" ".join(before), own, instruments, is_quoted=False), after
        raise CommandError(_unknown(before, own, instruments))
    start = 0
    while start < len(after) and after[start].casefold() in _FILLERS:
        start += 1
    target, rest = take_target(after[start:], own, instruments)
    if target is not None:
        return target, rest
    if verb is Verb.OBSERVING:
        raise CommandError(_unknown(_without_fillers(after), own, instruments))
    for at, word in enumerate(after):
        # "observed 4 fields with ZTF in r"
        if word.casefold() in ("with", "using", "from", "at", "by", "on"):
            target, rest = take_target(after[at + 1 :], own, instruments)
            if target is not None:
                return target, [*after[:at], *rest]
    return None, after


def _refuse_second_target(
    target: Target | None, words: list[str], own: ChannelSites, instruments: Instruments
) -> None:
    """Raise CommandError if a second instrument stands among words that aren't understood."""
    for at in range(len(words)):
        other, _ = take_target([word.strip(",;+&/") for word in words[at:]], own, instruments)
        if target is not None and other is not None and other.name != target.name:
            raise CommandError(
                f"One telescope at a time: report {target.name} and {other.name} each by itself, as in"
                f" observe {other.name} done r 21.5."
            )


def has_note(text: str) -> bool:
    """Return whether words after `observe` end with a remark, in which everything may stand."""
    return _NOTE.search(text.partition("\n")[0]) is not None


def without_note(text: str) -> str:
    """Return the words before a remark."""
    noted = _NOTE.search(text)
    return text if noted is None else text[: noted.start()]


def _without_fillers(words: list[str]) -> list[str]:
    kept = [word.strip(",;:") for word in words if word.casefold().strip(",.;:!?") not in _FILLERS]
    return [word for word in kept if word]


def _unknown(words: list[str], own: ChannelSites, instruments: Instruments) -> str:
    shown = " ".join(words)[:40]
    if not shown:
        return (
            f"Which telescope: {known_names(own, instruments)}? For example: {EXAMPLES}; one of another name"
            ' stands in quotes, as in observe "My telescope" done r 21.'
        )
    near = similar_names(shown, own, instruments)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"I know no site or instrument “{shown}”.{meant} It reads like this: {EXAMPLES}; a telescope of"
        ' another name stands in quotes, as in observe "My telescope" done r 21.'
    )


def _note(text: str) -> str:
    return " ".join(text.split())[:NOTE_MAX]
