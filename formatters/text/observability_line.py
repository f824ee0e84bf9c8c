"""One line about what a channel's sites can observe of a sky map."""

from __future__ import annotations

from datetime import UTC, timedelta

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.observing import (
    Observability,
    SiteObservability,
)
from formatters.text import quantities

MIN_USEFUL_PROBABILITY = 0.01
"""Probability (0 to 1) below which a site is not worth pointing a telescope."""


WHOLE_DAY = timedelta(hours=23, minutes=50)


def observability_line(answer: Observability) -> str:
    """Return the sites' results: "Palomar 63 % from 07:10 UTC · <1 % from Paranal · …", not escaped.

    Sites come in order of probability; the line ends with the probability near the Sun and the Galactic
    plane.
    """
    worth = sorted(
        (n for n in answer.sites if n.probability >= MIN_USEFUL_PROBABILITY),
        key=lambda result: -result.probability,
    )
    parts = [
        f"{plain_text(n.site.name)} {quantities.percent(n.probability)} {_window_phrase(n, answer)}"
        for n in worth
    ]
    rest = [
        plain_text(result.site.name) for result in answer.sites if result.probability < MIN_USEFUL_PROBABILITY
    ]
    if rest:
        parts.append(f"{quantities.percent(0)} from {', '.join(rest)}")
    return " · ".join([*parts, sun_and_plane_line(answer)])


def sun_and_plane_line(answer: Observability) -> str:
    """Return the probability near the Sun and the probability near the Galactic plane, in one line."""
    sun, plane = (
        quantities.percent(answer.probability_near_sun),
        quantities.percent(answer.probability_near_galactic_plane),
    )
    return f"{sun} within 45° of the Sun, {plane} within 10° of the Galactic plane"


def _window_phrase(result: SiteObservability, answer: Observability) -> str:
    window = result.window
    assert window is not None, "a share above zero was seen at some time"
    if window.stop - window.start >= WHOLE_DAY:
        return "at any time"
    # Not "now", which would be out of date when it is read.
    word, time = ("until", window.stop) if window.start <= answer.since else ("from", window.start)
    return f"{word} {time.astimezone(UTC):%H:%M}{quantities.NBSP}UTC"
