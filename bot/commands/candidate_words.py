"""Parse the words after `candidates`: the verb, names of candidates, positions to add. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from bot.commands.errors import CommandError
from bot.commands.position_query import parse_query
from bot.counterparts.merging import candidate_keys, match_names
from bot.counterparts.names import NAME_MAX, display_name, name_from_position, normalize_name, split_names
from bot.filters import FilterSyntaxError
from bot.runtime.typed_text import normalize_typed_text
from formatters.answers.position_check import SkyPosition
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.counterpart import Counterpart
from formatters.models.related_message import ReportedPosition
from formatters.models.superevent import Superevent

ADD_EXAMPLE = "candidates add AT2026abc 197.45 -23.38 z=0.0098"

_VERBS = {
    **dict.fromkeys(("show", "list", "all"), "show"),
    **dict.fromkeys(("add", "new", "edit", "change"), "add"),
    **dict.fromkeys(("keep", "accept", "like"), "keep"),
    **dict.fromkeys(("reject", "discard", "exclude", "dismiss"), "reject"),
    **dict.fromkeys(("remove", "delete"), "remove"),
    **dict.fromkeys(("export", "csv", "download"), "export"),
}
"""The words after `candidates`, and what each does."""
_CHANGING = ("add", "keep", "reject", "remove")
_FORMATS = frozenset(("csv", "table", "as"))
_FILLERS = frozenset(("the", "please", "candidate", "candidates", "in", "of", "for", "on", "from", "event"))
_MARKS = ",:;.?!"
_SEVERAL = re.compile(r"\s*[\n,;]\s*|\s+and\s+", re.IGNORECASE)

_SPACED_DESIGNATION = re.compile(
    r"(?<![^\s,;|])(at|sn|tde)[ \t_-]*((?:19|20)\d\d)[ \t_-]+([a-z]{1,7})(?![^\s,;|:])", re.IGNORECASE
)
"""A designation of the Transient Name Server in several words."""


def read_verb(arguments: str) -> tuple[str, str]:
    """Split what stands after `candidates` into what is to be done and the rest. Raises CommandError."""
    word, *rest = normalize_typed_text(arguments).split(maxsplit=1) or [""]
    if not word or all(one.casefold().strip(_MARKS) in _FILLERS for one in (word, *"".join(rest).split())):
        # The event's id was taken out before: "candidates of S230518h".
        return "show", ""
    verb = _VERBS.get(word.casefold().strip(_MARKS))
    if verb is None:
        near = difflib.get_close_matches(word.casefold(), _VERBS, n=1, cutoff=0.7)
        meant = f" Did you mean candidates {near[0]}?" if near else ""
        raise CommandError(
            f'"candidates {word[:40]}" is nothing I know.{meant} There are: candidates, {ADD_EXAMPLE},'
            " candidates keep NAME, candidates reject NAME, candidates remove NAME, candidates export csv."
        )
    return verb, "".join(rest).strip()


def changes_candidates(arguments: str) -> bool:
    """Return whether the words after `candidates` change something."""
    try:
        return read_verb(arguments)[0] in _CHANGING
    except CommandError:
        return False


def other_format(text: str) -> str | None:
    """Return the first word after `candidates export` that isn't the format which it gives."""
    return next((word for word in text.split() if word.casefold() not in _FORMATS), None)


def parse_candidates(text: str) -> tuple[list[tuple[str, ReportedPosition]], tuple[str, ...]]:
    """Parse candidates to add, one on each line: their names and positions, and what is left out.

    Names that are missing are made from the position. Raises FilterSyntaxError.
    """
    if not text:
        raise CommandError(f"Which one? Name and position, one on each line: {ADD_EXAMPLE}.")
    query = parse_query("\n".join(map(_with_whole_designation, text.split("\n"))))
    return [(_checked_name(target), _position(target)) for target in query.targets], query.omitted


def _with_whole_designation(line: str) -> str:
    """Return a line with "AT 2026 abc" in one word if it can't be read as it stands."""
    joined = _SPACED_DESIGNATION.sub(r"\1\2\3", line)
    if joined == line:
        return line
    try:
        parse_query(line)
    except FilterSyntaxError:
        return joined
    return line


def find_named(text: str, known: Sequence[Counterpart], superevent: Superevent) -> list[Counterpart]:
    """Return the candidates that are named, the whole text as one name first. Raises CommandError."""
    text = without_fillers(text)
    whole = _matches(text, known, superevent)
    if len(whole) == 1:
        return whole
    words = [_matches(word, known, superevent) for word in text.split()]
    if not whole and words and all(len(matches) == 1 for matches in words):
        return [one for [one] in words]
    found = []
    for name in [part for part in _SEVERAL.split(text) if part] or [text]:
        matches = _matches(name, known, superevent)
        if len(matches) != 1:
            raise CommandError(_unclear(name, matches, known, superevent))
        found.extend(matches)
    return found


def without_fillers(text: str) -> str:
    """Return a text without the words that people put around names: "the AT2026abc, please"."""
    words = text.split(" ")
    while len(words) > 1 and words[0].casefold() in _FILLERS:
        del words[0]
    while len(words) > 1 and words[-1].casefold() in _FILLERS:
        del words[-1]
    return " ".join(words).rstrip(" ,")


def _matches(name: str, known: Sequence[Counterpart], superevent: Superevent) -> list[Counterpart]:
    """Return the candidates of a name, which may have lost the event's id that it began with.

    In "keep S230917af_X1" the id is read as the event that the question is about.
    """
    return match_names(name, known) or match_names(f"{superevent.superevent_id}{name}", known)


def _unclear(
    name: str, matches: Sequence[Counterpart], known: Sequence[Counterpart], superevent: Superevent
) -> str:
    shown = plain_text(name, NAME_MAX)
    if matches:
        return f"“{shown}” is a name of several candidates: which of {list_names([m.name for m in matches])}?"
    if not known:
        return (
            f"{superevent.superevent_id} has no counterpart candidates here yet; to add one: {ADD_EXAMPLE}."
        )
    names = {key: one.name for one in known for key in candidate_keys(one)}
    wanted = normalize_name(name)
    near = difflib.get_close_matches(wanted, list(names)[:_COMPARED_MAX], n=3, cutoff=0.6)
    meant = f" Did you mean {list_names(list(dict.fromkeys(names[key] for key in near)))}?" if near else ""
    return f"No candidate of {superevent.superevent_id} is called “{shown}”.{meant}"


_COMPARED_MAX = 1_000
"""Names among which similar ones are looked for."""


def _checked_name(target: SkyPosition) -> str:
    """Return the name under which a candidate is added, by default one from its position."""
    if len(target.name) > NAME_MAX:
        raise CommandError(f"A candidate's name has at most {NAME_MAX} characters.")
    name = display_name(target.name)
    return name if split_names(name) else name_from_position(target.ra, target.dec)


def _position(target: SkyPosition) -> ReportedPosition:
    has_redshift = target.redshift is not None
    return ReportedPosition(
        ra=target.ra,
        dec=target.dec,
        redshift=target.redshift,
        distance=None if has_redshift else target.distance,
    )


def list_names(names: Sequence[str]) -> str:
    """Return the first names of candidates, cut for a sentence but not escaped; the rest is counted."""
    shown = [plain_text(name, NAME_MAX) for name in names[:5]]
    return ", ".join(shown) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
