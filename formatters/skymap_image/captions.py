"""Captions of a sky-map image, and its alternative text for people who can't see it."""

from __future__ import annotations

from formatters.blockkit.mrkdwn import ALT_TEXT_MAX, replace_nbsp
from formatters.models.notice import EARLYWARNING, Event, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.skymap_image.models import (
    CREDIBLE_LEVELS,
    SUN_CIRCLE_DEG,
    Captions,
    DrawnSky,
    Marks,
    Position,
)
from formatters.text import map_lines, quantities, vocabulary
from formatters.text.source_lines import headline

_MAX_REGIONS = 3
_MAX_FIELDS = 5
"""Fields of a plan whose places the alternative text says; the table beside it has the others."""


def create_captions(superevent: Superevent) -> Captions:
    """Return the captions of the newest notice's image.

    Raises ValueError if that notice has no measured sky map.
    """
    notice, event, localization = _measured_notice(superevent)
    watermark = vocabulary.category_label(superevent.category)
    badges = tuple(mark for mark in alert_card.status_labels(superevent) if mark != watermark)
    parts = []
    if notice.alert_type != EARLYWARNING:
        parts.append(alert_card.alert_type_with_ordinal(superevent, notice))
    facts = []
    if localization.distance is not None:
        facts.append(quantities.distance(localization.distance))
        share = map_lines.partial_share(localization)
        if share is not None:
            facts.append(f"for {quantities.percent(share)} of the map")
    if event.instruments:
        facts.append(" ".join(event.instruments))
    combined = notice.external is not None and notice.external.localization is not None
    if notice.external is not None and combined:
        facts.append(f"with {vocabulary.observatory_label(notice.external.observatory)}")
        parts.append("combined map")
    other = None
    if combined and notice.localization is not None:
        other = f"GW alone 90{quantities.NBSP}%: {quantities.area(notice.localization.area_90)}"
    return Captions(
        title=f"{headline(superevent, notice, event)} · {superevent.superevent_id}",
        subtitle=" · ".join([*parts, quantities.utc(event.time)]),
        watermark=watermark,
        badges=badges,
        area_50=quantities.area(localization.area_50),
        area_90=quantities.area(localization.area_90),
        facts=tuple(facts),
        gw_alone=other,
    )


def alt_text(
    superevent: Superevent, sky: DrawnSky | None = None, *, inset: bool = False, marks: Marks | None = None
) -> str:
    """Describe the newest notice's image in plain text of at most ALT_TEXT_MAX characters.

    Raises ValueError if that notice has no measured sky map.
    """
    notice, event, localization = _measured_notice(superevent)
    watermark = vocabulary.category_label(superevent.category)
    external = notice.external
    combined = external is not None and external.localization is not None
    kind = "Combined sky map" if combined else "Sky map"
    front = "" if watermark is None else f"{watermark}, no real event. "
    parts = [
        f"{front}{kind} of {superevent.superevent_id}, {headline(superevent, notice, event)}, "
        f"{', '.join([*_status_and_alert_type(superevent, notice), quantities.utc(event.time)])}.",
        f"The 90{quantities.NBSP}% credible region covers {quantities.area(localization.area_90)}, "
        f"the 50{quantities.NBSP}% region {quantities.area(localization.area_50)}"
        f"{_regions_phrase(localization)}.",
        _peak_sentence(localization),
    ]
    distance = map_lines.distance(localization)
    if distance is not None:
        parts.append(f"Luminosity distance {distance}.")
    if external is not None and combined:
        line = (
            f"The map combines GW with {vocabulary.coincidence_label(external.observatory, external.search)}."
        )
        if notice.localization is not None:
            line += f" A dashed line is the 90{quantities.NBSP}% region of GW alone, "
            line += f"{quantities.area(notice.localization.area_90)}."
        parts.append(line)
    if marks is not None:
        listed = [f"{one.number} {one.text}" for one in marks.marks] + [
            f"{one.number} at {quantities.position_degrees(one.ra, one.dec)}"
            for one in marks.fields[:_MAX_FIELDS]
        ]
        more = len(marks.fields) - _MAX_FIELDS
        parts.append(f"{marks.title}: {'; '.join(listed)}{f' and {more} more' if more > 0 else ''}.")
    if sky is not None:
        parts += _sky_sentences(localization, sky)
    parts.append(
        "All-sky Mollweide projection, right ascension in hours with 12 h in the middle, east to the left"
        f"{', and an inset around the main region' if inset else ''}."
    )
    text = replace_nbsp(" ".join(parts))
    return text if len(text) <= ALT_TEXT_MAX else f"{text[: ALT_TEXT_MAX - 1]}…"


def _measured_notice(superevent: Superevent) -> tuple[Notice, Event, Localization]:
    notice = superevent.latest
    if notice.event is None or notice.best_localization is None:
        raise ValueError(f"The newest notice of {superevent.superevent_id} has no sky map to draw.")
    return notice, notice.event, notice.best_localization


def _status_and_alert_type(superevent: Superevent, notice: Notice) -> list[str]:
    watermark = vocabulary.category_label(superevent.category)
    parts = [front for front in alert_card.status_labels(superevent) if front != watermark]
    return (
        parts
        if notice.alert_type == EARLYWARNING
        else [*parts, alert_card.alert_type_with_ordinal(superevent, notice)]
    )


def _regions_phrase(localization: Localization) -> str:
    """Describe a region's parts, for example ", in 2 pieces, with 59 % near 06h03 −20°"."""
    regions = localization.regions
    if not regions or localization.is_uniform:
        return ""
    parts = [
        f"{quantities.percent(region.probability)} near {quantities.position_coarse(region.ra, region.dec)}"
        for region in regions[:_MAX_REGIONS]
    ]
    if len(regions) == 1:
        return f", in one piece near {quantities.position_coarse(regions[0].ra, regions[0].dec)}"
    more = "" if len(regions) <= _MAX_REGIONS else ", and smaller ones"
    return f", in {len(regions)} pieces, with {', '.join(parts)}{more}"


def _sky_sentences(localization: Localization, sky: DrawnSky) -> list[str]:
    """Describe the Sun, the Moon, and regions that aren't outlined."""
    places = (
        f"Sun at {quantities.position_coarse(*sky.sun)}, Moon at {quantities.position_coarse(*sky.moon)}"
        f" ({quantities.percent(sky.moon_illumination)} lit)"
    )
    if not localization.is_uniform:
        apart = f"{_separation_text(localization, sky.sun)} and {_separation_text(localization, sky.moon)}"
        places += f", {apart} from the peak"
    sentences = [f"{places}."]
    if sky.near_sun is not None:
        share = quantities.percent(sky.near_sun)
        sentences.append(f"{share} of the probability lies within {SUN_CIRCLE_DEG:.0f}° of the Sun, circled.")
    missing = (
        []
        if localization.is_uniform
        else [quantities.percent(level) for level in CREDIBLE_LEVELS if level not in sky.outlined]
    )
    if missing:
        sentences.append(f"The {' and the '.join(missing)} region has too many pieces to be outlined.")
    return sentences


def _peak_sentence(localization: Localization) -> str:
    if localization.is_uniform:
        return f"{map_lines.UNIFORM.capitalize()}."
    position = quantities.position(localization.ra, localization.dec)
    return f"The peak is at {position} ({quantities.position_degrees(localization.ra, localization.dec)})."


def _separation_text(localization: Localization, position: Position) -> str:
    return quantities.angle(quantities.separation(localization.ra, localization.dec, *position))
