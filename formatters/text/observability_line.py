"""What a channel's sites can observe, in one line."""

from __future__ import annotations

from datetime import UTC, timedelta

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.observing import (
    Observability,
    SiteObservability,
)
from formatters.text import quantities

MIN_USEFUL_PROBABILITY = 0.01
"""Below this share nobody points a telescope."""


WHOLE_DAY = timedelta(hours=23, minutes=50)


def observability_line(answer: Observability) -> str:
    """As in "Palomar 63 % from 07:10 UTC · <1 % from Paranal · 5 % within 45° of the Sun …", not escaped."""
    worth = sorted(
        (n for n in answer.sites if n.probability >= MIN_USEFUL_PROBABILITY),
        key=lambda night: -night.probability,
    )
    said = [
        f"{plain_text(n.site.name)} {quantities.percent(n.probability)} {_window_phrase(n, answer)}"
        for n in worth
    ]
    rest = [
        plain_text(night.site.name) for night in answer.sites if night.probability < MIN_USEFUL_PROBABILITY
    ]
    if rest:
        said.append(f"{quantities.percent(0)} from {', '.join(rest)}")
    return " · ".join([*said, sun_and_plane_line(answer)])


def sun_and_plane_line(answer: Observability) -> str:
    """Return how much of the probability lies near the Sun and near the galactic plane."""
    sun, plane = (
        quantities.percent(answer.probability_near_sun),
        quantities.percent(answer.probability_near_galactic_plane),
    )
    return f"{sun} within 45° of the Sun, {plane} within 10° of the Galactic plane"


def _window_phrase(night: SiteObservability, answer: Observability) -> str:
    window = night.window
    assert window is not None, "a share above zero was seen at some time"
    if window.stop - window.start >= WHOLE_DAY:
        return "at any time"
    # No "now", which is false when it is read.
    word, time = ("until", window.stop) if window.start <= answer.since else ("from", window.start)
    return f"{word} {time.astimezone(UTC):%H:%M}{quantities.NBSP}UTC"
