"""Words for LVK's codes. Unknown codes are shown unchanged."""

from __future__ import annotations

from datetime import UTC

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import (
    EARLYWARNING,
    GRACEDB,
    INITIAL,
    PRELIMINARY,
    RETRACTION,
    UPDATE,
    Category,
    Notice,
)
from formatters.models.superevent import Superevent

KNOWN_SEARCHES = frozenset({"allsky", "earlywarning", "bbh", "ssm", "mdc", "imbh"})
"""Known searches for GW candidates, case-folded."""

_ALERT_TYPE_LABELS = {
    EARLYWARNING: ("EARLY WARNING", "EW"),
    PRELIMINARY: ("PRELIMINARY", "PRELIM"),
    INITIAL: ("INITIAL", "INITIAL"),
    UPDATE: ("UPDATE", "UPDATE"),
    RETRACTION: ("RETRACTION", "RETRACTION"),
    GRACEDB: ("FROM GRACEDB", "GRACEDB"),
}

_VETTING = {
    EARLYWARNING: "not yet confirmed by the full search",
    PRELIMINARY: "automatic, not yet vetted",
    INITIAL: "vetted by people",
    UPDATE: "vetted by people",
}

_COINCIDENCE_SEARCHES = {
    "grb": "GRB",
    "subgrb": "sub-threshold GRB",
    "subgrbtargeted": "sub-threshold GRB candidate",
    "hen": "high-energy neutrino",
    "frb": "fast radio burst",
    "supernova": "supernova neutrinos",
    "xray": "X-ray",
    "mdc": "mock",
}

_OBSERVATORIES = {"einsteinprobe": "Einstein Probe"}
_GRB_SEARCHES = frozenset({"grb", "subgrb", "subgrbtargeted"})
_GRB_INSTRUMENTS = {"swift": "Swift/BAT"}
"""Instruments that find an observatory's GRBs, case-folded; other observatories are named alone."""


def alert_type_label(alert_type: str) -> str:
    """Return an alert type in words: "EARLY WARNING"."""
    return _ALERT_TYPE_LABELS.get(alert_type, (alert_type, alert_type))[0]


def alert_type_label_compact(alert_type: str) -> str:
    """Return an alert type in the short form for notifications: "EW", "PRELIM"."""
    return _ALERT_TYPE_LABELS.get(alert_type, (alert_type, alert_type))[1]


def numbered_alert_type(superevent: Superevent, notice: Notice) -> str:
    """Return the notice's alert type, numbered from the second PRELIMINARY on: "PRELIMINARY 2", "UPDATE"."""
    words = alert_type_label(plain_text(notice.alert_type))
    ordinal = superevent.preliminary_ordinal(notice)
    return f"{words} {ordinal}" if notice.alert_type == PRELIMINARY and ordinal > 1 else words


def notice_name(superevent: Superevent, notice: Notice) -> str:
    """Return the words for one of an event's notices: its alert type, with its time where others are alike.

    "PRELIMINARY 2" needs none; of two updates each is "UPDATE of 2024-11-26 12:10 UTC".
    """
    name = numbered_alert_type(superevent, notice)
    others = (n for n in superevent.notices if n.key != notice.key)
    if all(numbered_alert_type(superevent, other) != name for other in others):
        return name
    return f"{name} of {notice.time_created.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def vetting(alert_type: str, category: Category) -> str | None:
    """Return the vetting state of notices of this type; None if unknown. People never vet mocks."""
    if category is not Category.REAL and alert_type in {INITIAL, UPDATE}:
        return None
    return _VETTING.get(alert_type)


def category_label(value: Category) -> str | None:
    """Return the label "MOCK" or "TEST"; None for real events."""
    return {Category.MOCK: "MOCK", Category.TEST: "TEST"}.get(value)


def coincidence_label(observatory: str, search: str) -> str:
    """Return an external event's observatory and search in words: "Swift/BAT sub-threshold GRB candidate"."""
    name = _OBSERVATORIES.get(observatory.casefold(), observatory)
    if search.casefold() in _GRB_SEARCHES:
        name = _GRB_INSTRUMENTS.get(observatory.casefold(), name)
    words = (
        name,
        _COINCIDENCE_SEARCHES.get(search.casefold(), search),
    )
    return " ".join(word for word in words if word) or "external event"


def trigger_number(observatory: str, search: str, notice_id: str | None) -> str | None:
    """Return the trigger number by which people know a GRB of Fermi's; None for any other external event.

    A number of another observatory or search names nothing that people could look up.
    """
    if notice_id is None or not (notice_id.isascii() and notice_id.isdigit()):
        return None
    return notice_id if observatory.casefold() == "fermi" and search.casefold() in _GRB_SEARCHES else None


def observatory_label(name: str) -> str:
    """Return an observatory's name as people write it: "Einstein Probe"."""
    return _OBSERVATORIES.get(name.casefold(), name) or "external event"


def old_to_new(name: str, old: str, new: str) -> str:
    """Return a change in words: "Distance 40 ± 8 → 50 ± 5 Mpc"."""
    return f"{name} {old} → {new}"
