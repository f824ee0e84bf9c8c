"""A notice for a terminal: as JSON for programs, and as lines with unrounded numbers for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from formatters.models.notice import Category, Distance, ExternalCoincidence, Localization, Notice
from formatters.models.significance import sky_overlap
from formatters.text import map_lines, quantities, vocabulary
from formatters.text.chirp_mass import chirp_mass_line
from formatters.text.map_algorithm import map_algorithm

_COLUMN = 18


def to_show_json(notice: Notice) -> dict[str, Any]:
    """Return the JSON object that `show --json` prints.

    `event` and `external_coinc` have the notice's own keys, including unknown ones, without the maps.
    Positions are in degrees (ICRS), areas in deg², distances in Mpc.
    """
    return {
        "superevent_id": notice.superevent_id,
        "alert_type": notice.alert_type,
        "time_created": quantities.iso(notice.time_created),
        "mock": notice.category is Category.MOCK,
        "urls": dict(notice.urls),
        "event": notice.published.get("event"),
        "localization": _localization(notice.localization),
        "external_coinc": _coincidences(notice),
    }


def _coincidences(notice: Notice) -> Any:
    """Return `external_coinc` as published (one object or a list), each with its combined map's facts."""
    published = notice.published.get("external_coinc")
    decoded = iter(notice.coincidences_in_order)
    if isinstance(published, Mapping):
        return (
            {**published, "localization": _localization(next(decoded).localization)}
            if notice.external
            else None
        )
    if not isinstance(published, list):
        return published
    return [
        {**one, "localization": _localization(known.localization)}
        if isinstance(one, Mapping) and (known := next(decoded, None)) is not None
        else one
        for one in published
    ]


def _localization(localization: Localization | None) -> dict[str, Any] | None:
    if localization is None:
        return None
    distance = localization.distance
    return {
        "ra": localization.ra,
        "dec": localization.dec,
        "area_50": localization.area_50,
        "area_90": localization.area_90,
        "pieces_50": localization.pieces_50,
        "distance_mean": None if distance is None else distance.mean,
        "distance_std": None if distance is None else distance.std,
        "distance_share": localization.distance_share,
        "unread_tiles": localization.unread_tiles,
        "regions": [
            {"ra": part.ra, "dec": part.dec, "area": part.area, "probability": part.probability}
            for part in localization.regions
        ],
    }


def to_text(notice: Notice) -> str:
    """Return the notice as lines of text for a terminal, with every number unrounded."""
    return "\n".join(_lines(notice))


def _lines(notice: Notice) -> Iterator[str]:
    front = vocabulary.category_label(notice.category)
    yield (
        f"{'' if front is None else front + ' '}{notice.superevent_id}"
        f" {vocabulary.alert_type_label(notice.alert_type)}"
    )
    yield _row("created", quantities.iso(notice.time_created))
    for name, url in notice.urls.items():
        yield _row(name, url)
    yield from _event_rows(notice)
    if notice.map_problem is not None:
        yield _row("sky map", f"can't be read: {notice.map_problem}")
    algorithm = map_algorithm(notice)
    if algorithm is not None:
        yield _row("map by", algorithm)
    yield from _localization_rows(notice.localization)
    for external in notice.coincidences:
        yield from _coincidence_rows(external)
    if notice.has_unreadable_coincidence:
        yield _row("coincidence", "named in a form that gwevent doesn't understand")


def _event_rows(notice: Notice) -> Iterator[str]:
    event = notice.event
    if event is None:
        return
    yield _row("event time", quantities.iso(event.time))
    significant = "yes" if event.significant else "no"
    if event.flag_unread is not None:
        significant = f"taken as such: the flag says {event.flag_unread!r}"
    yield _row("significant", significant)
    yield _row("FAR", _rate(event.far))
    yield _row("search", f"{event.group} {event.pipeline} {event.search}")
    yield _row("instruments", " ".join(event.instruments))
    if event.classification:
        yield _row("classes", _probability_list(event.classification))
    if event.properties:
        yield _row("if astrophysical", _probability_list(event.properties))
    mass = chirp_mass_line(event, notice.alert_type)
    if mass is not None:
        yield _row("chirp mass", mass.removeprefix("Chirp mass ").replace(quantities.NBSP, " "))
    if event.unread:
        yield _row("can't be read", ", ".join(event.unread))
    if event.central_frequency is not None:
        yield _row("frequency", f"{event.central_frequency} Hz")
    if event.duration is not None:
        yield _row("duration", f"{event.duration} s")


def _coincidence_rows(external: ExternalCoincidence) -> Iterator[str]:
    yield _row("coincidence", vocabulary.coincidence_label(external.observatory, external.search))
    if external.time_difference is not None:
        yield _row("time offset", f"{external.time_difference} s (external minus GW)")
    yield _row("joint FAR", f"{_rate(external.time_coincidence_far)} (time)")
    yield _row("joint FAR", f"{_rate(external.time_sky_position_coincidence_far)} (time and sky)")
    if external.ivorn is not None:
        yield _row("ivorn", external.ivorn)
    if external.map_problem is not None:
        yield _row("combined map", f"can't be read: {external.map_problem}")
    if external.localization is not None:
        yield "combined map"
        yield from _localization_rows(external.localization)
    if external.overlap is not None:
        yield _row("overlap", f"{external.overlap} of it in the GW 90 % region")
    if external.peak_level is not None:
        yield _row("peak level", f"{external.peak_level} of the GW map")
    ratio = sky_overlap(external)
    if ratio is not None:
        yield _row("sky overlap", f"{ratio} (joint FAR by time / by time and sky)")


def _localization_rows(localization: Localization | None) -> Iterator[str]:
    if localization is None:
        return
    yield _row("RA, Dec", f"{localization.ra}, {localization.dec}", separator=" = ")
    if localization.is_uniform:
        yield _row("", map_lines.UNIFORM)
    unread = map_lines.unread_tiles(localization)
    if unread is not None:
        yield _row("", unread)
    yield _row("50 % area", f"{localization.area_50} deg²")
    yield _row("90 % area", f"{localization.area_90} deg²")
    if localization.pieces_50 is not None:
        yield _row("50 % pieces", f"{localization.pieces_50}")
    yield _row("distance", _distance(localization.distance))
    if localization.distance_share is not None:
        yield _row("", f"mean over {localization.distance_share * 100:.1f} % of the map, which has one")
    if localization.peak_distance is not None:
        yield _row("toward peak", _distance(localization.peak_distance))
    if len(localization.regions) > 1:
        for part in localization.regions:
            share = f"{part.probability * 100:.1f} %" if part.probability >= 0.001 else "<0.1 %"
            place = quantities.position_degrees(part.ra, part.dec).replace(quantities.NBSP, " ")
            yield _row("region", f"{share} near {place}; {part.area:.2f} deg²")
    if localization.log_bci is not None:
        yield _row("ln BCI", f"{localization.log_bci}")
    around = localization.surroundings
    if around is not None:
        sun, plane = around.probability_near_sun, around.probability_near_galactic_plane
        when = quantities.utc(around.time).replace(quantities.NBSP, " ")
        peak = "" if localization.is_uniform else f", peak {around.sun_separation}° from it"
        yield _row("near the Sun", f"{sun} within 45°{peak}, at {when}")
        yield _row("near plane", f"{plane} within 10° of the Galactic plane")


def _distance(distance: Distance | None) -> str:
    return "none in the map" if distance is None else f"{distance.mean} ± {distance.std} Mpc"


def _rate(far: float | None) -> str:
    words = quantities.rate(far)
    text = words if far is None else f"{far} Hz, {words}"
    return text.replace(quantities.NBSP, " ")


def _probability_list(probabilities: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in probabilities.items())


def _row(name: str, value: str, *, separator: str | None = None) -> str:
    # "RA, Dec = …" is the format of the script in LVK's user guide; other rows are aligned.
    return f"{name}{separator}{value}" if separator else f"{name:<{_COLUMN}}{value}"
