"""Lines about what a channel's sites can observe of a sky map in this night, and in the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.observing import (
    NightObservability,
    Observability,
    ObservingWindow,
    SiteObservability,
)
from formatters.text import night_times, quantities

MIN_USEFUL_PROBABILITY = 0.01
"""Probability (0 to 1) below which a site is not worth pointing a telescope."""
WHOLE_DAY = timedelta(hours=23, minutes=50)
CARD_SITES = 2
"""The sites that the card names with their windows: on a phone a row has some 40 characters."""

_NOTICEABLE_DIFFERENCE = 0.1
"""Probability (0 to 1) by which another window must differ to be said with its own."""
_ADJOINING = timedelta(minutes=2)
"""The most time between two windows of which the second continues the first, at a limit of the night."""
_MAX_NAMES = 2
"""On the card: more sites than these are counted, not named."""


def card_line(answer: Observability) -> str:
    """Return the card's line: when it was judged, the best two sites, how many others; not escaped.

    "Sites, 7 Feb 11:57 UTC: McDonald >99 % now until 12:10 UTC (T+0.2 h), again 8 Feb 08:45 (T+21 h)"
    """
    return card_lines(answer)[0]


def card_lines(answer: Observability) -> tuple[str, ...]:
    """Return the card's line in three lengths, the longest first, for a card that has few rows left.

    With the best two sites; with one; with one and without its next night.
    """
    return tuple(
        dict.fromkeys(
            _card_line(answer, sites, with_next_night=following)
            for sites, following in ((CARD_SITES, True), (1, True), (1, False))
        )
    )


def _card_line(answer: Observability, sites: int, *, with_next_night: bool) -> str:
    worth = _worth_pointing(answer)
    parts = [
        _site_phrase(site, answer, with_next_night=with_next_night and number == 0)
        for number, site in enumerate(worth[:sites])
    ]
    if len(worth) < sites:
        parts += _others(answer, max_names=_MAX_NAMES)
    elif len(answer.sites) > sites:
        parts.append(f"+{len(answer.sites) - sites}{': /gwevent visible' if with_next_night else ' more'}")
    return f"Sites, {night_times.utc_day_and_clock(answer.since)}: {' · '.join(parts)}"


def observability_line(answer: Observability) -> str:
    """Return all sites' results, not escaped.

    "McDonald >99 % now until 12:10 UTC (T+0.2 h), again 8 Feb 08:45 (T+21 h) · no darkness at Dome A · …".
    The best site comes first; the line ends with the probability near the Sun and the Galactic plane.
    """
    parts = [_site_phrase(site, answer, with_next_night=True) for site in _worth_pointing(answer)]
    return " · ".join([*parts, *_others(answer), sun_and_plane_line(answer)])


def sun_and_plane_line(answer: Observability) -> str:
    """Return the probability near the Sun and the probability near the Galactic plane, in one line."""
    sun, plane = (
        quantities.percent(answer.probability_near_sun),
        quantities.percent(answer.probability_near_galactic_plane),
    )
    return f"{sun} within 45° of the Sun, {plane} within 10° of the Galactic plane"


def useful_windows(night: NightObservability) -> tuple[ObservingWindow, ...]:
    """Return the windows of a night that are worth pointing a telescope.

    Those that begin and end in the same minute aren't: nobody observes from 03:21 to 03:21.
    """
    return tuple(
        window
        for window in night.windows
        if window.probability >= MIN_USEFUL_PROBABILITY
        and night_times.rounded_up(window.start.astimezone(UTC))
        < window.stop.astimezone(UTC).replace(second=0, microsecond=0)
    )


def best_useful_window(night: NightObservability) -> ObservingWindow | None:
    """Return the useful window with the highest probability, the first of equals; None without any."""
    return max(useful_windows(night), key=lambda window: window.probability, default=None)


def is_open_now(window: ObservingWindow, answer: Observability) -> bool:
    """Return True if a window was open at the time that the answer is about."""
    return answer.is_now and window.start <= answer.since


def _worth_pointing(answer: Observability) -> list[SiteObservability]:
    """Return the sites that can observe something, the best first: this night's before the next one's."""

    def rank(site: SiteObservability) -> tuple[bool, float]:
        this = max((window.probability for window in useful_windows(site.this_night)), default=0.0)
        following = max((window.probability for window in useful_windows(site.next_night)), default=0.0)
        soon = this >= _NOTICEABLE_DIFFERENCE
        return not soon, -(this if soon else max(this, following))

    worth = [s for s in answer.sites if useful_windows(s.this_night) or useful_windows(s.next_night)]
    return sorted(worth, key=rank)


def _others(answer: Observability, max_names: int | None = None) -> list[str]:
    """Return the words for the sites that can observe nothing, without or with a limit of named sites."""
    others = [s for s in answer.sites if not (useful_windows(s.this_night) or useful_windows(s.next_night))]
    low = [plain_text(site.site.name) for site in others if site.has_darkness]
    bright = [plain_text(site.site.name) for site in others if not site.has_darkness]
    parts = []
    if low:
        both = "" if len(others) < len(answer.sites) else ", this night and the next"
        parts.append(f"{quantities.percent(0)} from {_names(low, max_names)}{both}")
    if bright:
        parts.append(f"no darkness at {_names(bright, max_names)}")
    return parts


def _names(names: Sequence[str], most: int | None) -> str:
    return ", ".join(names) if most is None or len(names) <= most else f"{len(names)} sites"


def _site_phrase(result: SiteObservability, answer: Observability, *, with_next_night: bool) -> str:
    """Return one site's windows: the first of this night, a better one of it, and the best of the next."""
    name = plain_text(result.site.name)
    this, following = useful_windows(result.this_night), best_useful_window(result.next_night)
    which = "passage" if result.site.radio else "night"
    is_later_better = following is not None and _is_only_later_worth_it(this, following)
    if not this or (is_later_better and not with_next_night):
        assert following is not None, "the site can observe something"
        when = _day_and_start(following, answer, zone=f"{quantities.NBSP}UTC")
        return f"{name} {quantities.percent(following.probability)} next {which} from {when}"
    first = this[0]
    continued = _continuation(result)
    if continued is not None and continued is not first and _is_whole(first, continued, answer):
        return f"{name} {quantities.percent(first.probability)} at any time"
    parts = [f"{name} {quantities.percent(first.probability)} {_time_phrase(first, answer, continued)}"]
    better = max(this, key=lambda window: window.probability)
    if better.probability - first.probability >= _NOTICEABLE_DIFFERENCE:
        parts.append(f"{quantities.percent(better.probability)} {_range(better, answer)}")
    if with_next_night and continued is None:
        if following is None:
            parts.append(f"not the next {which}")
        else:
            share = quantities.percent(following.probability)
            differs = abs(following.probability - first.probability) >= _NOTICEABLE_DIFFERENCE
            parts.append(f"{share if differs else 'again'} {_day_and_start(following, answer)}")
    return ", ".join(parts)


def _is_only_later_worth_it(this: Sequence[ObservingWindow], following: ObservingWindow) -> bool:
    """Return True if this night's best is hardly worth a word beside the next night's.

    Where there is room for one of both, "3 % now" would hide 99 % a few hours later.
    """
    best = max((window.probability for window in this), default=0.0)
    return best < _NOTICEABLE_DIFFERENCE <= following.probability - best


def _continuation(result: SiteObservability) -> ObservingWindow | None:
    """Return the next night's first window if this night's only one lasts until it begins.

    So it is in the polar night, and at radio sites for a field that doesn't set.
    """
    this, following = useful_windows(result.this_night), useful_windows(result.next_night)
    if len(this) == 1 and following:
        between = following[0].start.astimezone(UTC) - this[0].stop.astimezone(UTC)
        return following[0] if between < _ADJOINING else None
    return None


def _is_whole(first: ObservingWindow, second: ObservingWindow, answer: Observability) -> bool:
    return second.length >= WHOLE_DAY and (is_open_now(first, answer) or first.length >= WHOLE_DAY)


def _time_phrase(window: ObservingWindow, answer: Observability, continued: ObservingWindow | None) -> str:
    """Return when a window is: "now until 12:10 UTC (T+0.2 h)", "8 Feb 02:10–07:40 UTC (T+14 h)"."""
    if not is_open_now(window, answer):
        return _range(window, answer, continued)
    stop = (continued or window).stop.astimezone(UTC)
    dated = "" if continued is None else f"{night_times.day(stop)} "
    since = _in_parentheses(night_times.since_merger(answer.since, answer.merger))
    return f"now until {dated}{night_times.stop_clock(stop)}{quantities.NBSP}UTC{since}"


def _range(window: ObservingWindow, answer: Observability, continued: ObservingWindow | None = None) -> str:
    start, stop = (
        night_times.rounded_up(window.start.astimezone(UTC)),
        (continued or window).stop.astimezone(UTC),
    )
    dated = "" if start.date() == answer.since.date() and answer.is_now else f"{night_times.day(start)} "
    until = "" if continued is None else f"{night_times.day(stop)} "
    since = _in_parentheses(night_times.since_merger(window.start, answer.merger))
    return f"{dated}{start:%H:%M}–{until}{night_times.stop_clock(stop)}{quantities.NBSP}UTC{since}"


def _day_and_start(window: ObservingWindow, answer: Observability, zone: str = "") -> str:
    """Return when a window begins; `zone` is left out behind a time that has it."""
    start = night_times.rounded_up(window.start.astimezone(UTC))
    since = _in_parentheses(night_times.since_merger(window.start, answer.merger))
    return f"{night_times.day(start)} {start:%H:%M}{zone}{since}"


def _in_parentheses(text: str | None) -> str:
    return "" if text is None else f" ({text})"
