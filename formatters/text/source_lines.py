"""The lines that say what a GW candidate may be: classes, properties, chirp mass, a burst's frequency."""

from __future__ import annotations

from collections.abc import Iterable

from formatters.blockkit.mrkdwn import plain_text
from formatters.models import classes
from formatters.models.notice import PROPERTIES, Event, Notice
from formatters.models.significance import (
    assumes_astrophysical_origin,
    is_burst,
    is_ssm,
    last_terrestrial,
    ranked_classes,
)
from formatters.models.superevent import Superevent
from formatters.text import event_lines, quantities, vocabulary
from formatters.text.chirp_mass import chirp_mass_line

_NEGLIGIBLE = 0.01
MIN_DOUBTFUL_TERRESTRIAL = 0.1
"""Terrestrial of an earlier notice from which a title says that its class assumes an astrophysical origin."""
NO_MATTER = "no matter outside the hole expected"
_UNREAD_FIELDS = {
    "far": "FAR",
    "mchirp_source": "chirp mass",
    "central_frequency": "frequency",
    "duration": "duration",
}
"""Fields of an event in words; each is named if it is given and can't be read."""


def source_lines(superevent: Superevent, notice: Notice, event: Event) -> list[str]:
    """Return lines about the source: classes, properties, chirp mass; for a burst, frequency and duration."""
    lines: list[str] = []
    classified = class_line(superevent, notice, event)
    if classified is not None:
        lines.append(classified)
    if is_burst(event) or event.central_frequency is not None or event.duration is not None:
        burst = burst_line(notice, event)
        lines += [burst] if burst else []
    properties = properties_line(event)
    if properties is not None:
        lines.append(properties)
    if is_ssm(event):
        lines.append("Sub-solar-mass search: no class probabilities; HasNS means 1 to 3 M☉")
    elif not is_burst(event) and classified is None:
        lines.append("No class probabilities given")
    mass = chirp_mass_line(event, notice.alert_type)
    if mass is not None:
        lines.append(mass)
    others = [words for name, words in _UNREAD_FIELDS.items() if classes.is_unread(event, name)]
    if others:
        lines.append(f"Can't be read: {', '.join(others)}")
    return lines


def headline(superevent: Superevent, notice: Notice, event: Event, *, compact: bool = False) -> str:
    """Return the most probable class, or the search, in few words, for titles and notifications.

    A class that assumes an astrophysical origin says so where that matters, because an earlier notice held
    noise possible: "NSBH 95 % if astrophysical".
    """
    words = event_lines.headline(event, compact=compact)
    if not assumes_astrophysical_origin(notice):
        return words
    known = last_terrestrial(superevent, notice)
    is_doubtful = known is not None and known[1] >= MIN_DOUBTFUL_TERRESTRIAL
    return f"{words} if astrophysical" if is_doubtful else words


def class_line(superevent: Superevent, notice: Notice, event: Event) -> str | None:
    """Return the class probabilities: "BNS 95 % · BBH 3 % · NSBH, Terrestrial <1 %"; None without any.

    Classes that assume an astrophysical origin say so, and what the last notice with a Terrestrial gave:
    "If astrophysical: NSBH 95 % · BBH 5 % (Terrestrial was 40 % in INITIAL)". A class whose probability can't
    be read comes first: "BNS can't be read · BBH 3 %".
    """
    if classes.is_unread(event, classes.CLASSIFICATION):
        return "The class probabilities can't be read"
    unread = unread_words(event, classes.CLASSIFICATION)
    if not event.classification:
        return unread[0] if unread else None
    if not assumes_astrophysical_origin(notice):
        return " · ".join([*unread, probability_list(ranked_classes(event))])
    stated = probability_list((name, p) for name, p in ranked_classes(event) if name != "Terrestrial")
    named = " · ".join([*unread, *([stated] if stated else [])])
    known = last_terrestrial(superevent, notice)
    if known is None:
        return f"If astrophysical: {named} (Terrestrial not given)"
    earlier, terrestrial = known
    stage = vocabulary.notice_name(superevent, earlier)
    return f"If astrophysical: {named} (Terrestrial was {quantities.percent(terrestrial)} in {stage})"


def unread_words(event: Event, field: str) -> list[str]:
    """Return "BNS, NSBH can't be read" for the probabilities of a field that can't; empty if all can."""
    names = ", ".join(plain_text(name) for name in classes.unread_names(event, field))
    return [f"{names} can't be read"] if names else []


def probability_list(items: Iterable[tuple[str, float]]) -> str:
    """Return each name with its probability in percent; names below 1 % are grouped at the end."""
    large, small = [], []
    for name, probability in items:
        if probability < _NEGLIGIBLE:
            small.append(plain_text(name))
        else:
            large.append(f"{plain_text(name)} {quantities.percent(probability)}")
    if small:
        large.append(f"{', '.join(small)} {quantities.percent(0)}")
    return " · ".join(large)


def properties_line(event: Event) -> str | None:
    """Return the source properties, "If astrophysical: HasRemnant 91 % · HasNS 95 % · …"; None without any.

    Each probability is conditional on an astrophysical origin. What goes without saying is left out:
    properties below 1 % of a binary of black holes. An NSBH with a HasRemnant below 1 % says what that means.
    """
    if classes.is_unread(event, classes.PROPERTIES):
        return "The properties (HasNS, HasRemnant …) can't be read"
    unread = unread_words(event, classes.PROPERTIES)
    shown = _properties_worth_saying(event)
    if not shown:
        return unread[0] if unread else None
    is_swallowed_whole = _leading_astrophysical_class(event) == "NSBH" and _is_negligible(event, "HasRemnant")
    if is_swallowed_whole:
        del shown["HasRemnant"]
    parts = [probability_list(shown.items())] if shown else []
    if is_swallowed_whole:
        parts.append(f"{NO_MATTER} (HasRemnant {quantities.percent(0)})")
    # The class line above usually gives Terrestrial; if it does not, say so here.
    condition = "If astrophysical"
    if "HasRemnant" in event.properties and "Terrestrial" not in event.classification:
        condition = "If astrophysical (Terrestrial not given)"
    return f"{condition}: {' · '.join([*unread, *parts])}"


def _properties_worth_saying(event: Event) -> dict[str, float]:
    """Return the properties in the order in which they are said."""
    first = [name for name in PROPERTIES if name in event.properties]
    if is_ssm(event):
        first.sort(key=lambda name: name != "HasSSM")
    if _leading_astrophysical_class(event) == "BBH" and _is_negligible(event, "HasNS"):
        first = [name for name in first if not _is_negligible(event, name)]
    others = sorted(name for name in event.properties if name not in PROPERTIES)
    return {name: event.properties[name] for name in first + others}


def _is_negligible(event: Event, name: str) -> bool:
    """Return True if the property is given, and below 1 %."""
    return event.properties.get(name, 1.0) < _NEGLIGIBLE


def _leading_astrophysical_class(event: Event) -> str | None:
    """Return the most probable class if the event is astrophysical, as the properties assume."""
    if classes.unread_share(event):
        return None
    ranked = [(name, p) for name, p in ranked_classes(event) if name != "Terrestrial" and p > 0]
    return ranked[0][0] if ranked else None


def burst_line(notice: Notice, event: Event) -> str:
    """Return a burst's frequency and duration: "487 Hz · 1.4 ms · no class, no distance"; "" for nothing.

    A distance in one of the notice's maps isn't denied.
    """
    parts = []
    if event.central_frequency is not None:
        parts.append(quantities.frequency(event.central_frequency))
    if event.duration is not None:
        parts.append(quantities.duration(event.duration))
    if not event.classification:
        has_distance = any(
            sky is not None and event_lines.distances(sky) is not None
            for sky in (notice.localization, notice.best_localization)
        )
        parts.append("no class" if has_distance else "no class, no distance")
    return " · ".join(parts)
