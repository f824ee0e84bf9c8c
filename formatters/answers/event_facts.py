"""One-sentence answers to questions about an event ("how far is S230518h"), which stand above its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import quote

from formatters.blockkit.mrkdwn import plain_text, web_url
from formatters.models.notice import Category
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import alert_type_with_ordinal, status_labels
from formatters.text import coincidence_lines, event_lines, quantities
from formatters.text.source_lines import source_lines


def sentence(superevent: Superevent, topic: str, now: datetime) -> str | None:
    """Return the answer to a question about an event, not escaped; None if the card itself is the answer.

    `topic` is the value of a `bot.commands.topics.Topic`. The facts are those of the newest notice
    that has them; a retracted event is called so first. How a retracted event stands is the whole of its
    card, so that no sentence says it before.
    """
    answer = _SENTENCES.get(topic)
    if answer is None or (topic == "state" and superevent.is_retracted):
        return None
    name = " ".join([*status_labels(superevent), superevent.superevent_id])
    return f"{name}: {answer(superevent, now)}"


def _distance(superevent: Superevent, _now: datetime) -> str:
    notice = superevent.latest_with_map
    alone = None if notice is None else notice.localization
    best = None if notice is None else notice.best_localization
    of_gw = None if alone is None else event_lines.distances(alone)
    found = None if best is None else event_lines.distances(best)
    if best is None or found is None:
        if of_gw is None:
            return "no distance is known; bursts and maps without one have none."
        return f"luminosity distance {of_gw} (the map of GW alone; the combined map has none)."
    if best is alone:
        return f"luminosity distance {found}."
    # The card's header, lists and filters take the combined map's: the answer says whose it is.
    return f"luminosity distance {found} (combined map); GW alone {of_gw or 'has none'}."


def _far(superevent: Superevent, _now: datetime) -> str:
    notice = superevent.latest_with_event
    if notice is None or notice.event is None:
        return "no false-alarm rate is known."
    text = event_lines.far(notice.event)
    if notice.event.far is not None:
        text += f" ({quantities.rate_hz(notice.event.far)})"
    joint = coincidence_lines.lowest_joint_far(notice)
    return f"{text}." if joint is None else f"{text}; joint FAR {quantities.rate(joint)} before trials."


def _area(superevent: Superevent, _now: datetime) -> str:
    notice = superevent.latest_with_map
    best = None if notice is None else notice.best_localization
    if notice is None or best is None:
        return "no sky map is known."
    # Of a region in pieces the peak alone may lie in a small one.
    where = [text for text in (event_lines.regions(best), event_lines.peak(best)) if text is not None]
    words = " · ".join([event_lines.areas(best), *where])
    if best is notice.localization:
        return f"{words}."
    alone = notice.localization
    gw = "" if alone is None else f"; GW alone {event_lines.areas(alone)} · {event_lines.peak(alone)}"
    return f"combined map {words}{gw}."


def _links(superevent: Superevent, _now: datetime) -> str:
    parts = []
    for key, label in (("gracedb", "GraceDB"), ("skymap", "sky map")):
        found = (web_url(notice.urls.get(key)) for notice in reversed(superevent.notices))
        url = next((url for url in found if url is not None), None)
        if url is not None:
            parts.append(f"{label} {url}")
    if superevent.category is Category.REAL:
        parts.append(
            f"circulars https://gcn.nasa.gov/circulars?query={quote(superevent.superevent_id, safe='')}"
        )
    return " · ".join(parts) or "its notices name no page in GraceDB."


def _state(superevent: Superevent, _now: datetime) -> str:
    notice = superevent.latest
    sent = quantities.utc(notice.time_created)
    stage = alert_type_with_ordinal(superevent, notice)
    known = superevent.latest_with_event
    significance = event_lines.significance_line(known or notice)
    return f"not retracted. {significance}; the newest notice is {stage}, {sent}."


def _news(superevent: Superevent, now: datetime) -> str:
    notice = superevent.latest
    stage = alert_type_with_ordinal(superevent, notice)
    count = quantities.pluralize(len(superevent.notices), "notice")
    age = quantities.age_text(notice.time_created, now)
    return f"{count}, the newest {stage} {quantities.utc(notice.time_created)} ({age}). “history” shows all."


def _class(superevent: Superevent, _now: datetime) -> str:
    notice = superevent.latest_with_event
    if notice is None or notice.event is None:
        return "no class is known."
    lines = source_lines(superevent, notice, notice.event) or [event_lines.headline(notice.event)]
    return " · ".join(lines) + "."


def _coincidence(superevent: Superevent, _now: datetime) -> str:
    notice = superevent.latest_with_event
    lines = [] if notice is None else coincidence_lines.coincidence_lines(notice)
    if not lines:
        # Bursts and neutrinos that name no event are no part of a notice: this answer doesn't know them.
        beside = (
            " Bursts and neutrinos nearby that name no event aren't in its notices: they stand in the"
            " Follow-up reply of channels with streams nearby."
            if superevent.category is Category.REAL
            else ""
        )
        return f"its notices name no coincidence with a GRB, a neutrino or another external event.{beside}"
    if notice is None or notice.external is None:
        # In no form that could be read: the line is a sentence of its own.
        return f"its newest notice {lines[0][0].lower()}{lines[0][1:]}."
    return f"coincidence with {' · '.join(lines[:3])}."


def _time(superevent: Superevent, now: datetime) -> str:
    event = superevent.event
    if event is None:
        return "its time isn't known."
    return f"{quantities.utc(event.time)}, {quantities.age_text(event.time, now)}."


def _detectors(superevent: Superevent, _now: datetime) -> str:
    event = superevent.event
    if event is None:
        return "its detectors aren't known."
    search = f"{plain_text(event.pipeline)} {plain_text(event.search)}".strip()
    return f"{event_lines.detectors(event)}; found by {search or 'a search that the notice does not name'}."


_SENTENCES: Mapping[str, Callable[[Superevent, datetime], str]] = {
    "distance": _distance,
    "far": _far,
    "area": _area,
    "links": _links,
    "state": _state,
    "news": _news,
    "class": _class,
    "coincidence": _coincidence,
    "time": _time,
    "detectors": _detectors,
}
