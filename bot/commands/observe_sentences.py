"""Sentences that report an observation without the word `observe`: "ZTF done 12 r 21.5". Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.commands.errors import CommandError
from bot.commands.giving_up_sentences import names_fields, read_giving_up, tells_reason
from bot.commands.observe_values import parse_values
from bot.commands.sentence_reports import ReportMeaning, SentenceReport
from bot.commands.telescope_names import (
    NO_OWN_NAMES,
    OwnNames,
    is_doubtful_name,
    is_named_telescope,
    is_no_telescope,
    telescopes_at_start,
)
from bot.commands.time_words import split_time_at_start

_REPORT = re.compile(
    r"^(?P<name>\S+(?: \S+){0,3}?) (?P<verb>done|finished|completed|cancelled|canceled)\b(?P<rest>.*)$",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|our) (?=\S)", re.IGNORECASE)
_OBSERVING = re.compile(
    r"^(?P<who>(?:i|we)(?:'m|'re|'ll|'ve| am| are| will| have)? |im |me )?(?:(?:now|also|just|still) )?"
    r"(?P<verb>observe|observing|observed)\b(?P<rest>.*)$",
    re.IGNORECASE,
)
_NOT_OBSERVING = re.compile(
    r"^(?:(?:i|we)(?:'m|'re| am| are| will| do| did| can| could| would| shall|) |im )?"
    r"(?:not|no longer|stop|stops|stopped|don't|didn't|won't|can't|cannot) observ(?:e|ing)\b",
    re.IGNORECASE,
)
_LOOKED = r"(?:observed|imaged|covered|followed up|pointed at|looked at)"
_EVENT = r"(?:it|this|that|this event|that event|the event|this one)"
_BY = r"(?:with|from|by|at|on|using|through)(?: the)?"
_NAME = r"(?P<name>[^\s,;:]{1,40}(?: [^\s,;:]{1,40}){0,3}?)"
_LATELY = r"(?: (?:already|now|too|as well))?"
_WITHOUT_DETAILS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:(?:i|we)(?:'ve| have| had| did)? )?(?:just |already |also )?(?:done|observe|{_LOOKED})"
        rf"(?: {_EVENT})? {_BY} {_NAME}{_LATELY}",
        rf"{_EVENT} (?:was|is|has been|got|has just been) (?:just |already |also )?{_LOOKED}"
        rf" {_BY} {_NAME}{_LATELY}",
        rf"(?:the )?{_NAME} (?:(?:has|have|had|just|already|also) ){{0,2}}{_LOOKED}(?: {_EVENT}){_LATELY}",
    )
)
"""Sentences that say that a telescope observed, and nothing of which fields, band and depth."""
_DONE_WITH = re.compile(
    r"(?:the )?(?P<name>\S+(?: \S+){0,3}?) (?:is|are|was|were|got) (?:all |now |already |just )?"
    rf"(?:done|finished|through) (?:with|observing|on)(?: {_EVENT})?(?P<rest>(?:[ ,.;:].*)?)",
    re.IGNORECASE,
)
_TOLD_FIRST = re.compile(
    rf"(?:the )?(?P<name>.+?) (?:(?:has|have|had|just|already|also) ){{0,2}}{_LOOKED}(?: {_EVENT})?"
    r"(?P<rest>(?:[ ,;:].*)?)",
    re.IGNORECASE,
)
_TOLD_LAST = re.compile(
    rf"(?P<event>{_EVENT} )?(?:was|has been|got) (?:just |already |also )?{_LOOKED}(?P<words>(?: .+)?)",
    re.IGNORECASE,
)
_BY_WORDS = re.compile(rf"(?<!\S){_BY} (?=\S)", re.IGNORECASE)
_BY_NOBODY = re.compile(
    r"(?:(?:i|we)(?:'m|'re| are| am)? )?(?:all )?(?:done|finished|completed)(?:"
    rf"(?: with| observing)?(?: {_EVENT})?|(?: with)?(?: {_EVENT})? (?P<values>[^ ]*\d.*))",
    re.IGNORECASE,
)
_FOR_NOW = re.compile(
    r"for (?:now|today|tonight|good|sure|(?:the|this) (?:night|day|evening|morning|run|moment))\W*$",
    re.IGNORECASE,
)
_BREAKS_OFF = re.compile(
    r"(?:.*[\s,;:])?(?:for|with|on|at|in|by|from|to|of|and|or|but|because|due|the|an?|until|as)[\W_]*",
    re.IGNORECASE,
)
"""What ends with a word that wants another: "done for" is said of a telescope that is of no more use."""
_IN_QUOTES = re.compile(r"\"[^\"]*\"\W*|'[^']*'\W*")
_BESIDES_NOT = re.compile(
    r"(?: (?:yet|so far|at all|tonight|today|now|by (?:us|any(?:one|body))))*\W*", re.IGNORECASE
)
_PAST = re.compile(rf"\b(?:done|did observe|{_LOOKED})\b", re.IGNORECASE)
_STATES = re.compile(
    r"(?:'s)? (?:(?:is|was|are|were|has|have|had|got)(?:n't)?|(?:just |already |[a-z]{2,}ly )?[a-z]{2,}ed)\b"
    r"|'s\b",
    re.IGNORECASE,
)
_ALONE = frozenset(["", "it", "this", "this event", "now", "it now", "that", "the event"])
MYSELF = "without a telescope"
TOLD = "observed"
"""The verb of a report that is told, in small letters; `done` behind `observe` says what it means."""


def read_observe_sentence(sentence: str, own: OwnNames = NO_OWN_NAMES) -> str | SentenceReport | None:
    """Return the report that a sentence tells, or what stands after `observe` for it; None for others.

    It begins with a telescope and "done", where only names count that gwevent knows by itself, or the channel
    by its sites, since such a sentence stores something; or somebody says of themselves that they observe.
    """
    if _IN_QUOTES.fullmatch(sentence):
        # Somebody else's words.
        return None
    time, told = split_time_at_start(sentence)
    report = _read_report(told, own) if time else None
    if isinstance(report, SentenceReport) and report.meaning is ReportMeaning.OBSERVED:
        return _observed(f"{report.words} {time}")
    return _read_report(sentence, own)


def _read_report(sentence: str, own: OwnNames) -> str | SentenceReport | None:
    """Do the same for a sentence that begins with no time."""
    if _NOT_OBSERVING.match(sentence):
        return read_giving_up(sentence, own) or "not observing"
    if (name := report_without_details(sentence, own)) is not None:
        return _observed(_quoted(name))
    told_of = _ARTICLE.sub("", sentence)
    reported = _REPORT.match(told_of)
    if reported is not None and not is_named_telescope(reported["name"], own):
        reported = None
    if reported is None or not _is_cancelling(reported["verb"]):
        # "ZTF cancelled: clouds" gives up by its verb, whatever stands behind.
        given_up = read_giving_up(sentence, own)
        if given_up is not None:
            return given_up
    if (report := _told_with_values(sentence, own)) is not None:
        return report
    if (told := _DONE_WITH.fullmatch(sentence)) is not None and is_named_telescope(told["name"], own):
        return _observed(f"{told['name']} {told['rest'].strip(' ,.;:')}")
    if (said := _OBSERVING.match(sentence)) is not None:
        rest = said["rest"].strip(" .!,")
        if rest.casefold() in _ALONE and (said["who"] or "").strip().casefold()[:1] == "i":
            return MYSELF
        return _observed(rest) if said["verb"].casefold() == TOLD else rest
    if (nobody := _BY_NOBODY.fullmatch(sentence)) is not None:
        # Which telescope is asked; whose plan it is would be a guess.
        return SentenceReport(meaning=ReportMeaning.NO_TELESCOPE, words=nobody["values"] or "")
    if reported is None:
        return None
    return _checked_report(told_of, reported["name"], reported["verb"], reported["rest"].strip())


def _is_cancelling(verb: str) -> bool:
    return verb.casefold().startswith("cancel")


def _checked_report(sentence: str, name: str, verb: str, rest: str) -> str | SentenceReport:
    """Return a sentence that stores something, or what it may mean where that isn't sure.

    "ZTF cancelled clouds" gives a plan up, and "ZTF cancelled the seminar" may not; "ZTF finished for
    tonight" tells nothing of its fields, and neither does "ZTF done for"; "Winter finished" may be no
    telescope's.
    """
    # Capitals of the whole sentence say nothing of the name.
    is_sure = not is_doubtful_name(name.title() if sentence.isupper() else name) or any(
        map(str.isdigit, rest)
    )
    breaks_off = _BREAKS_OFF.fullmatch(rest) is not None
    if breaks_off or _FOR_NOW.match(rest) or (_is_cancelling(verb) and names_fields(rest)):
        return SentenceReport(meaning=ReportMeaning.UNCLEAR, telescopes=(name,))
    if _is_cancelling(verb) and not (is_sure and tells_reason(rest)):
        return SentenceReport(
            meaning=ReportMeaning.GIVES_UP, telescopes=(name,), words=rest.strip(" ,.;:!()-")
        )
    return sentence if is_sure else _observed(f"{name} {rest}")


def read_typed_report(text: str) -> str | SentenceReport:
    """Return the report that was typed after `observe`: most often its words, of which the grammar is read.

    "observed ZTF r 21.5" and "we observed it with ZTF" are told there as they are without the command.
    """
    if (name := report_without_details(text)) is not None:
        return _observed(_quoted(name))
    told = re.match(rf"\s*{TOLD}(?!\S) *", text, re.IGNORECASE)
    return text if told is None else SentenceReport(meaning=ReportMeaning.OBSERVED, words=text[told.end() :])


def read_unclear_report(
    sentence: str, says_something: Callable[[str], bool], own: OwnNames = NO_OWN_NAMES
) -> SentenceReport | None:
    """Return the telescopes of which a sentence that nothing else understands says something; None without.

    `says_something` tells whether words beside the telescopes' names mean anything. What is quoted is
    somebody else's.
    """
    if _IN_QUOTES.fullmatch(sentence):
        return None
    for start in re.finditer(r"(?<!\S)(?=\S)", sentence):
        telescopes, behind = telescopes_at_start(sentence[start.start() :], own)
        if telescopes:
            told = says_something(f"{sentence[: start.start()]} {behind}")
            return SentenceReport(meaning=ReportMeaning.UNCLEAR, telescopes=telescopes) if told else None
    return None


def read_statement(
    sentence: str, says_something: Callable[[str], bool], own: OwnNames = NO_OWN_NAMES
) -> SentenceReport | None:
    """Return the telescopes that a sentence says to be, to have or to have done something; None for others.

    They stand first: "Paranal is slewing", "ZTF started".
    """
    telescopes, behind = telescopes_at_start(sentence, own)
    if not telescopes or _STATES.match(behind) is None or not says_something(behind):
        return None
    return SentenceReport(meaning=ReportMeaning.UNCLEAR, telescopes=telescopes)


def _observed(words: str) -> SentenceReport:
    return SentenceReport(meaning=ReportMeaning.OBSERVED, words=" ".join(words.split()))


def _quoted(name: str) -> str:
    """Return a name as the grammar reads one of the sender's own."""
    return '"{}"'.format(name.replace('"', ""))


def _told_with_values(sentence: str, own: OwnNames) -> SentenceReport | None:
    """Return the report of "ZTF observed it in r to 21.5" or "it was observed by ZTF in r"."""
    found = _TOLD_FIRST.fullmatch(sentence)
    if found is not None and is_named_telescope(found["name"], own) and not _is_negation(found):
        return _observed(f"{found['name']} {found['rest'].strip(' ,;:.!')}")
    found = _TOLD_LAST.fullmatch(sentence)
    if found is None:
        return None
    said = found["words"].strip()
    for by in _BY_WORDS.finditer(said):
        named = said[by.end() :].split()
        for count in range(min(4, len(named)), 0, -1):
            if is_named_telescope(" ".join(named[:count]).strip(",;:"), own):
                return _observed(f"{' '.join(named)} {said[: by.start()]}")
    return SentenceReport(meaning=ReportMeaning.NO_TELESCOPE, words=_values(said)) if found["event"] else None


def _is_negation(told: re.Match[str]) -> bool:
    """Return whether the telescope's name is the word "not" of "S230518h NOT observed"."""
    return told["name"].casefold() == "not" and _BESIDES_NOT.fullmatch(told["rest"]) is not None


def _values(text: str) -> str:
    """Return a text if it says nothing but fields, band and depth; else nothing."""
    try:
        parse_values(text.split())
    except CommandError:
        return ""
    return text


def report_without_details(sentence: str, own: OwnNames = NO_OWN_NAMES) -> str | None:
    """Return the telescope of a sentence that says only that it observed: "we observed it with ZTF".

    Whether all fields of its plan are meant would be a guess. None for other sentences, those with a band, a
    depth or fields among them, and for "observe ZTF done", which means all.
    """
    said = " ".join(sentence.strip(" .!").split())
    told = _PAST.search(said) if len(said) <= 200 else None
    if told is None:
        return None
    for number, pattern in enumerate(_WITHOUT_DETAILS):
        found = pattern.fullmatch(said)
        if found is None:
            continue
        name = found["name"]
        if is_named_telescope(name, own) or (number == 0 and _looks_like_name(name, told[0])):
            return name
    return None


def _looks_like_name(word: str, verb: str) -> bool:
    """Return whether a word behind "with", "at", "on" may name a telescope of the sender's own: "MyScope".

    Where the verb has capitals too, those of the word say nothing: "OBSERVED AT NIGHT".
    """
    form = r"(?=.*[A-Z\d])[^\W\d][\w-]*" if verb.islower() else r"(?=.*\d)[^\W\d][\w-]*"
    return re.fullmatch(form, word) is not None and not is_no_telescope(word)
