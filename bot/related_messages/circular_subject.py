"""Read the subject of a GCN Circular: its kind, the events that it names, and whether LVK retracts one.

The kind is read from the subject alone, in the order of `_classify_rest`: what fits nothing is a report.
`identification` and `retraction` are kept for LVK's own forms, because they are said of the GW event: a
telescope that identifies a host, or withdraws a candidate, gets `report`, `candidates` or `correction`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from formatters.models.circular import named_superevent_ids
from formatters.models.notice import canonical_id
from formatters.models.related_message import MessageKind

_PARTNER = r"(?:LIGO|Virgo|KAGRA|LVK|LVC)"
_COLLABORATION = (
    rf"{_PARTNER}(?: ?[/,&+-] ?{_PARTNER}){{0,4}}(?: (?:Collaborations?|event|candidate|trigger))?"
)
_ID = r"[MT]?(?:S|GW)\d{6}[a-z]{1,12}"
"""An id in LVK's usual form, as `SUPEREVENT_ID`, without groups and with a bound."""
_LVK_FORM = re.compile(
    rf"{_COLLABORATION}[ :#-]{{0,3}}(?P<id>{_ID})(?![A-Za-z0-9]) ?[:;,.-]{{0,2}} ?(?P<rest>.*)",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"(?:title|subject) ?: ?", re.IGNORECASE)
_REPLY = re.compile(r"(?:(?:re|fwd?|aw|wg|ris)(?:\[\d{1,3}\])? ?: ?)", re.IGNORECASE)
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")

_RETRACTION = re.compile(r"retraction of (?:the |a )?GW\b(?P<what>.*)", re.IGNORECASE | re.ASCII)
_IDENTIFICATION = re.compile(
    r"identification of (?:the |an? )?(?P<what>(?:(?:possible|likely|significant|second|new) )?.*)",
    re.IGNORECASE | re.ASCII,
)
_UPDATE = re.compile(r"(?:further |second |third |final )?updat(?:e|ed|es)\b", re.IGNORECASE)
_UPDATE_OF_ANALYSIS = re.compile(
    r"(?:further |second |third |final )?updat(?:e|ed|es)(?: (?:of|on|to))?(?: the)?"
    r" (?:sky.?(?:locali[sz]ations?|maps?)|(?:source )?classification|EM.?Bright|source properties"
    r"|significance|parameter estimation|source parameters|luminosity distance)\b",
    re.IGNORECASE,
)
_LVK_WORDS = {
    *("a", "alert", "alerts", "an", "and", "bbh", "binary", "black", "bns", "burst", "bursts", "candidate"),
    *("candidates", "cbc", "coalescence", "coalescing", "compact", "detection", "detector", "early", "event"),
    *("gravitational", "gw", "high", "hole", "holes", "intermediate", "low", "mass", "massive", "merger"),
    *("mergers", "mock", "neutron", "nsbh", "of", "or", "possible", "signal", "significance", "significant"),
    *(
        "single",
        "solar",
        "ssm",
        "star",
        "stars",
        "sub",
        "subsolar",
        "subthreshold",
        "superevent",
        "test",
        "the",
    ),
    *(
        "transient",
        "transients",
        "trigger",
        "triggers",
        "unmodeled",
        "unmodelled",
        "warning",
        "wave",
        "waves",
    ),
}
"""The words of which LVK names a GW event; "counterpart" and telescopes' words aren't among them."""
_EVENT_WORDS = {"alert", "candidate", "candidates", "event", "merger", "signal", "superevent", "trigger"}
_TELESCOPES_WORDS = {"afterglow", "counterpart", "counterparts", "galaxy", "host", "optical", "kilonova"}
"""Words of what telescopes find; whoever a text is said to be by, they aren't LVK's."""
_GW_CANDIDATE = re.compile(
    r"\b(?:GW|gravitational.waves?|LVK|LIGO/Virgo(?:/KAGRA)?)"
    r"(?: (?:compact|binary|merger|unmodell?ed|transient|burst|event)){0,4} candidates?\b",
    re.IGNORECASE,
)

_CORRECTION = re.compile(
    r"(?:correct(?:ion|ed|s)|errat(?:um|a)|corrigend(?:um|a)|typos?)\b"
    r"|.*\b(?:correction|erratum|errata|corrigendum|corrigenda) (?:to|of|on|in)\b"
    r"|.*[(\[:,;-] ?(?:correction|corrected|erratum|errata|corrigendum)(?: version| circular)? ?[)\]]?\.?$",
    re.IGNORECASE,
)
_WITHDRAWAL = re.compile(
    r"(?:retract|withdraw)(?:ion|al|ed|s|ing)?\b|.*\b(?:retraction|withdrawal) of\b", re.IGNORECASE
)
_NEUTRINO_SEARCH = re.compile(
    r"\bneutrinos?\b.*\b(?:search(?:es)?|upper limits?)\b"
    r"|\b(?:search(?:es)?|upper limits?)\b.*\bneutrinos?\b",
    re.IGNORECASE,
)
_NEUTRINO = re.compile(r"\bneutrinos?\b", re.IGNORECASE)
_NEUTRINO_TELESCOPE = re.compile(
    r"\b(?:IceCube|KM3NeT|ANTARES|Baikal|GVD|Super-?Kamiokande|Super-?K|KamLAND|SNO\+|JUNO)\b", re.IGNORECASE
)
_BY_ANOTHER_TELESCOPE = re.compile(
    r"\b(?:follow.?up|observ\w+|imaging|spectr\w+|counterparts? (?:to|of)|optical|radio|X-?ray)\b",
    re.IGNORECASE,
)
_LIMITS = re.compile(
    r"\b(?:upper|flux|fluence)[ -]limits?\b|\blimits (?:from|on|with)\b|\bnon-?detections?\b|\bnot detected\b"
    r"|\b(?:no|without)(?: \S{1,30}){0,4} (?:detections?|counterparts?|candidates?|emission|signals?|sources?"
    r"|transients?|afterglow|evidence)\b|\bno (?:detection|evidence|sign|indication)\b",
    re.IGNORECASE,
)
_NUMBER = r"(?:\d{1,4}|one|two|three|four|five|six|seven|eight|nine|ten|several|multiple|new|possible)"
_CANDIDATES = re.compile(
    rf"\bcandidates?\b|\bcounterparts?\b|\b{_NUMBER}(?: \S{{1,30}}){{0,3}} (?:sources?|transients?)\b",
    re.IGNORECASE,
)

_COMPARING = (
    r"(?<![\w-])(?:similar(?:ly)? to|(?:un)?like|than|versus|vs\.?|compar(?:ed|able|ison|ing) (?:to|with|of)"
    r"|analog(?:ue|ous)?s? (?:to|of|with)|as (?:for|in|with|(?:seen|observed|found|reported) (?:in|for|with))"
    r"|resembl\w{1,4}|reminiscent of|e\.g\.,?|cf\.?|such as|case of)"
)
COMPARING_WORD = re.compile(_COMPARING, re.IGNORECASE)
_COMPARED = re.compile(
    _COMPARING + r"(?: the)?(?: (?:GW|gravitational.wave|event|candidate|merger|source|kilonova|of|from"
    rf"|{_COLLABORATION})){{0,4}}[ (]{{0,2}}$",
    re.IGNORECASE,
)
_LOOK_BACK = 120
"""How many characters before an id are read for words that compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircularSubject:
    """A subject taken apart."""

    text: str
    """One line without a label ("Title:"), as it is shown."""
    lvk_id: str | None
    """The canonical id in "LIGO/Virgo/KAGRA <id>: …" if the subject begins so."""
    rest: str
    """The text after that; the whole text if it doesn't begin so."""
    is_reply: bool
    """True for "Re: …" and the like."""


def parse_subject(line: str) -> CircularSubject:
    """Parse a subject: one printable line, with a label or a blank in front of it or not."""
    text = line
    while label := _LABEL.match(text):
        text = text[label.end() :]
    plain = text.translate(_DASHES)
    is_reply = False
    while reply := _REPLY.match(plain):
        is_reply, plain = True, plain[reply.end() :]
    form = _LVK_FORM.match(plain)
    if form is None:
        return CircularSubject(text=text, lvk_id=None, rest=plain, is_reply=is_reply)
    return CircularSubject(text=text, lvk_id=canonical_id(form["id"]), rest=form["rest"], is_reply=is_reply)


def retracts_event(subject: CircularSubject, *, opens_as_lvk: bool) -> bool:
    """Return True for LVK's own subject "LIGO/Virgo/KAGRA <id>: Retraction of GW … candidate".

    Who sent it can't be checked: GCN lets every account with the right to submit use any subject, and LVK's
    circulars come from persons under their own names, mostly without "LVK" ("Jerome Novak"), or under a mail
    address alone. Therefore the whole form must fit: nothing in front of it, one event, and after "GW" only
    words of which LVK names events. With another word in it ("Retraction of GW sub-threshold echo
    candidate") the text must also begin as LVK's own do (`opens_as_lvk`); "counterpart" is never LVK's.
    """
    form = None if subject.lvk_id is None or subject.is_reply else _RETRACTION.fullmatch(subject.rest)
    if form is None or _CORRECTION.match(subject.rest):
        return False
    what = form["what"].replace("/", " ")
    others = set(named_superevent_ids(what)) - {subject.lvk_id}
    return not others and _is_event_in_lvks_words(what, opens_as_lvk=opens_as_lvk)


def classify(subject: CircularSubject, *, opens_as_lvk: bool) -> MessageKind:
    """Return the kind of a circular by its subject; `report` if none fits, and for replies."""
    if _CORRECTION.match(subject.rest):
        return MessageKind.CORRECTION
    if subject.is_reply:
        return MessageKind.REPORT
    if retracts_event(subject, opens_as_lvk=opens_as_lvk):
        return MessageKind.RETRACTION
    if subject.lvk_id is not None:
        form = _IDENTIFICATION.fullmatch(subject.rest)
        if form is not None and _is_event_in_lvks_words(form["what"], opens_as_lvk=opens_as_lvk):
            return MessageKind.IDENTIFICATION
    return _classify_rest(subject.rest, opens_as_lvk=opens_as_lvk)


def _is_event_in_lvks_words(what: str, *, opens_as_lvk: bool) -> bool:
    """Return True if a phrase names a GW event in LVK's words alone, or in others in a text of LVK's."""
    words = _words(re.sub(_ID, " ", what, flags=re.IGNORECASE | re.ASCII))
    if words & _TELESCOPES_WORDS or not words & _EVENT_WORDS:
        return False
    return words <= _LVK_WORDS or opens_as_lvk


def _classify_rest(rest: str, *, opens_as_lvk: bool) -> MessageKind:
    if _WITHDRAWAL.match(rest):
        # Not in LVK's form, but it speaks of the event: neither a retraction nor a telescope's correction.
        is_of_event = _GW_CANDIDATE.search(rest) and not _words(rest) & _TELESCOPES_WORDS
        return MessageKind.REPORT if is_of_event else MessageKind.CORRECTION
    if _UPDATE_OF_ANALYSIS.match(rest) or (opens_as_lvk and _UPDATE.match(rest)):
        return MessageKind.UPDATE
    if _NEUTRINO_SEARCH.search(rest) or (
        _NEUTRINO.search(rest) and _NEUTRINO_TELESCOPE.search(rest) and not _BY_ANOTHER_TELESCOPE.search(rest)
    ):
        return MessageKind.NEUTRINO_SEARCH
    if _LIMITS.search(rest):
        return MessageKind.UPPER_LIMITS
    if _CANDIDATES.search(_GW_CANDIDATE.sub(" ", rest)):
        return MessageKind.CANDIDATES
    return MessageKind.REPORT


def ids_in_subject(text: str, event: str) -> tuple[str, ...]:
    """Return the events that a circular is about by its subject and by GCN's event id, each once.

    GCN makes the event id out of the subject, so that an event to which the subject only compares something
    ("similar to S230922g", "an S230922g-like kilonova") is left out of both.
    """
    compared = {
        canonical_id(match[0]) for match in _ids(text) if is_compared(text, match.start(), match.end())
    }
    return tuple(one for one in named_superevent_ids(text, event) if one not in compared)


def is_compared(text: str, start: int, end: int) -> bool:
    """Return True if the id between these places is one to which something is compared."""
    before = text[max(0, start - _LOOK_BACK) : start]
    return text[end : end + 5].casefold() == "-like" or _COMPARED.search(before) is not None


def _ids(text: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"(?<![A-Za-z0-9]){_ID}(?![A-Za-z0-9])", text, re.IGNORECASE | re.ASCII))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))
