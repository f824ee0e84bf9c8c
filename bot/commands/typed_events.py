"""Events that a person names in a sentence: ids in any form, days, catalogue names, links. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.commands.errors import CommandError
from bot.commands.position_sentences import has_position
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import ID_MAX, canonical_id

_BEFORE, _AFTER = r"(?<![^\W_])", r"(?![^\W_])"
_ID = re.compile(rf"{_BEFORE}[MT]?(?:S|GW)[-_ ]?\d{{6}}[a-z]{{1,8}}{_AFTER}", re.IGNORECASE | re.ASCII)
_DAY = re.compile(rf"{_BEFORE}(?P<prefix>[MT]?)S(?P<day>\d{{6}}){_AFTER}", re.IGNORECASE | re.ASCII)
_CATALOGUE = re.compile(
    rf"{_BEFORE}(?P<prefix>[MT]?)GW(?P<day>\d{{6}})(?:_(?P<time>\d{{6}}))?{_AFTER}", re.IGNORECASE | re.ASCII
)
_BARE = re.compile(
    rf"(?<![\w.+−-])(?P<day>\d{{6}})(?P<suffix>[a-z]{{1,4}}){_AFTER}", re.IGNORECASE | re.ASCII
)
_LINK = re.compile(r"https?://\S+|\bgracedb\.ligo\.org/\S+", re.IGNORECASE)
_DESCRIBED = re.compile(
    r"\b(?:last|latest|newest|(?:most )?recent)\s+(?:\w+\s+){0,2}?"
    r"(?P<kind>bns|nsbh|bbh|bursts?|cbc|ssm|mocks?|tests?|retracted|lowsig)\b"
    r"|\b(?P<class>bns|nsbh|bbh|mocks?|bursts?|ssm)\b"
    r"|\bprevious\b|\b(?:second|next to) last\b|\blast but one\b",
    re.IGNORECASE,
)
_ALSO_SOURCES = frozenset(("mock", "mocks", "burst", "bursts", "ssm"))
"""Classes whose words beside a position may be a source's name: "check burst 197.45 -23.38"."""
_MISSPELLED = re.compile(
    r"(?=\w*[a-z])[MT]?(?:(?:S|GW)[\dOIl|]{5,8}|[5$][\dOIl|]{6})[-_.]?[a-z]{0,8}", re.IGNORECASE | re.ASCII
)
_POSSESSIVE = re.compile(r"^['’´`]s\b", re.IGNORECASE)
_UNITS = frozenset(
    (
        *("deg", "kpc", "mpc", "gpc", "km", "hz", "khz", "mhz", "ghz"),
        *("utc", "gmt", "mjd", "yr", "day", "min", "sec"),
    )
)
"""Words that may follow six digits without a blank, and make them a number with a unit."""
_OTHER_TRANSIENTS = re.compile(
    r"(?:^|[\s(\[])(?:AT|SN|TDE|GRB|XRF|XRT|FRB|EPT?|SGR|IC|ICECUBE|ANTARES|KM3(?:NET)?|FERMI|SWIFT"
    r"|GECAM|SVOM"
    r"|ZTF|GOTO)[\s-]*$",
    re.IGNORECASE,
)
"""What before six digits and letters makes them another transient's name ("GRB 230518A")."""


@dataclass(frozen=True, slots=True)
class TypedEvent:
    """An event as a person named it."""

    text: str
    """The words that name it, as they were typed."""
    start: int
    end: int
    """Begin and end of the words in the text."""
    superevent_id: str | None = None
    """The id in canonical form; None if only a day or a catalogue name was typed."""
    id_prefix: str | None = None
    """For a day or a catalogue name: what the ids of that day begin with, "S230518"."""
    event_time: datetime | None = None
    """For a catalogue name with a time of day (GW230518_125908): that second, UTC."""
    is_catalogue_name: bool = False
    """True for GW170817 and the like."""
    is_bare: bool = False
    """True for an id without its leading S."""


def find_typed_events(text: str) -> list[TypedEvent]:
    """Return the events that a text names, in the order in which they stand there, each once.

    Found are ids in any case with any punctuation around them, ids without their S, the day of an id without
    its letters, catalogue names, and links that contain an id.
    """
    found: list[TypedEvent] = []
    taken: list[tuple[int, int]] = []

    def take(event: TypedEvent) -> None:
        if not any(event.start < end and start < event.end for start, end in taken):
            found.append(event)
            taken.append((event.start, event.end))

    for link in _LINK.finditer(text):
        inside = _ID.search(link[0])
        taken_end = link.end()
        if inside is not None:
            trailing = len(link[0]) - len(link[0].rstrip(".,;:!?)>]}'\"*_`|"))
            take(
                TypedEvent(
                    link[0],
                    link.start(),
                    max(taken_end - trailing, link.start() + inside.end()),
                    superevent_id=_canonical(inside[0]),
                )
            )
        else:
            taken.append((link.start(), taken_end))
    for match in _ID.finditer(text):
        take(TypedEvent(match[0], match.start(), _end(text, match.end()), superevent_id=_canonical(match[0])))
    for match in _CATALOGUE.finditer(text):
        if _is_day(match["day"]):
            take(
                TypedEvent(
                    match[0],
                    match.start(),
                    _end(text, match.end()),
                    id_prefix=f"{match['prefix'].upper()}S{match['day']}",
                    event_time=_second(match["day"], match["time"]),
                    is_catalogue_name=True,
                )
            )
    for match in _DAY.finditer(text):
        if _is_day(match["day"]):
            prefix = f"{match['prefix'].upper()}S{match['day']}"
            take(TypedEvent(match[0], match.start(), _end(text, match.end()), id_prefix=prefix))
    for match in _BARE.finditer(text):
        named = match["suffix"].casefold() in _UNITS or _OTHER_TRANSIENTS.search(text[: match.start()])
        if _is_day(match["day"]) and not named:
            take(
                TypedEvent(
                    match[0],
                    match.start(),
                    _end(text, match.end()),
                    superevent_id=canonical_id(f"S{match[0]}"),
                    is_bare=True,
                )
            )
    unique: dict[str, TypedEvent] = {}
    for event in sorted(found, key=lambda event: event.start):
        unique.setdefault(event.superevent_id or event.text.casefold(), event)
    return list(unique.values())


def replace_typed_events(text: str, events: Sequence[TypedEvent], names: Sequence[str]) -> str:
    """Return the text with each event's words replaced by a name ("" removes them)."""
    for event, name in sorted(zip(events, names, strict=True), key=lambda pair: -pair[0].start):
        text = f"{text[: event.start]}{name}{text[event.end :]}"
    return text


def looks_like_event_id(word: str) -> bool:
    """Return whether a word was probably meant as an event's id, though it is none."""
    return (
        len(word) <= ID_MAX
        and re.fullmatch(r"[mt]?(s|gw)[-_ ]?\d\w*|\d{6}\w+", word.strip().casefold()) is not None
    )


def find_misspelled_id(text: str) -> str | None:
    """Return the first word that was surely meant as an event's id but is none; None without one.

    It has an O, l or I for a digit, a 5 for the S, or a digit too many or too few, as in "S23O518h".
    """
    for word in text.split():
        match = _MISSPELLED.fullmatch(word.strip(",.;:()[]!?"))
        if match is not None and sum(map(str.isdigit, match[0])) > 3:
            return match[0]
    return None


def refuse_described_event(text: str, *, names_sources: bool = False) -> None:
    """Raise CommandError if a line tells an event by its class or age: "map of the last BBH".

    Another event would be answered about, for a command takes ids alone. With `names_sources` the command
    takes names of sources, among which "burst" and the like may stand alone, as they may beside a position.
    """
    if "\n" in text:
        return
    names_sources = names_sources or has_position(text)
    for found in _DESCRIBED.finditer(text):
        if names_sources and (found["class"] or "").casefold() in _ALSO_SOURCES:
            continue
        kind = found["kind"] or found["class"]
        words = f"latest {kind}" if kind else "events"
        raise CommandError(
            f"Which event? “{plain_text(words)}” shows its id;"
            f" ask with that in place of “{plain_text(found[0])}”."
        )


def _end(text: str, end: int) -> int:
    """Return the end of a name with its possessive: "S230518h's"."""
    possessive = _POSSESSIVE.match(text[end : end + 3])
    return end + (possessive.end() if possessive is not None else 0)


def _canonical(name: str) -> str | None:
    return canonical_id(re.sub(r"[-_ ]", "", name))


def _is_day(digits: str) -> bool:
    return _second(digits, "000000") is not None


def _second(day: str, time: str | None) -> datetime | None:
    if time is None:
        return None
    try:
        return datetime.strptime(f"{day}{time}", "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
