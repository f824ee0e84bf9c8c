"""Warnings about a candidate as lines of plain text."""

from __future__ import annotations

import math
from datetime import UTC

from formatters.models.event_warnings import (
    WarningKind,
    incoherent_log_bci,
    ranked_warnings,
    surroundings,
)
from formatters.models.notice import Event, Notice, Surroundings
from formatters.models.significance import (
    MAX_SIGNIFICANT_FAR,
    FlagConflict,
    flag_conflict,
    max_significant_far,
)
from formatters.text import night_times, quantities

_MAX_ODDS = 1_000.0
"""Odds beyond which their size says nothing more."""


UNCONFIRMED_EARLY_WARNING = "Early warning not confirmed by the full search"
"""Said of a retraction after early warnings alone (`significance.is_unconfirmed_early_warning`)."""


def warning_lines(notice: Notice) -> list[str]:
    """Return the warnings about a notice, the worst first; the card shows that one, `<id>` all of them."""
    lines = [_warning(notice, warning.kind) for warning in ranked_warnings(notice)]
    return [line for line in lines if line is not None]


def _warning(notice: Notice, kind: WarningKind) -> str | None:
    event, around = notice.event, surroundings(notice)
    match kind:
        case WarningKind.FLAG_AGAINST_FAR:
            return None if event is None else _flag_line(notice, event)
        case WarningKind.SUN:
            return None if around is None else _sun_line(notice, around)
        case WarningKind.INCOHERENT:
            return _coherence_line(notice)
        case WarningKind.GALACTIC_PLANE:
            return None if around is None else _plane_line(notice, around)


def _flag_line(notice: Notice, event: Event) -> str:
    # The FAR itself stands on the card.
    if flag_conflict(notice) is FlagConflict.SIGNIFICANT_AT_HIGH_FAR:
        return f"LVK's flag says significant, but the FAR is above its limit of {_limit(event)}"
    return "LVK's flag says low significance, but the FAR is far below its limits"


def _limit(event: Event) -> str:
    return "1 per month" if max_significant_far(event) == MAX_SIGNIFICANT_FAR else "1 per year"


def _sun_line(notice: Notice, around: Surroundings) -> str:
    """Return the warning of the Sun, with the day for which it was judged, because the Sun moves on.

    "87 % within 45° of the Sun on 30 Oct 2023, peak 8.6° from it".
    """
    share = quantities.percent(around.probability_near_sun)
    day = night_times.day_and_year(around.time.astimezone(UTC)).replace(" ", quantities.NBSP)
    line = f"{share}{_of_which_map(notice)} within 45° of the Sun on {day}"
    if around.sun_separation < 45:
        line += f", peak {quantities.angle(around.sun_separation)} from it"
    return line


def _plane_line(notice: Notice, around: Surroundings) -> str:
    share = quantities.percent(around.probability_near_galactic_plane)
    return f"{share}{_of_which_map(notice)} within 10° of the Galactic plane"


def _of_which_map(notice: Notice) -> str:
    """Return the words for the map that a share belongs to, where the notice has two."""
    return "" if notice.best_localization is notice.localization else " of the combined map"


def _coherence_line(notice: Notice) -> str | None:
    """Return "ln BCI −1.6: incoherent signals favoured 5:1"; None if that isn't so."""
    bci = incoherent_log_bci(notice)
    if bci is None:
        return None
    odds = math.exp(min(-bci, 700.0))
    favoured = f"more than {quantities.number(_MAX_ODDS)}" if odds > _MAX_ODDS else quantities.number(odds)
    return f"ln BCI {quantities.number(bci, 1)}: incoherent signals favoured {favoured}:1"
