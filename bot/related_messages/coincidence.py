"""Find the alerts near an event in time and on the sky, and the number expected by chance.

An alert is near if its trigger lies in the window and its 90 % region overlaps the event's 99 % region. By
chance,

    expected = rate · (before + after) · share

alerts would be: `rate` is that of the alert's kind (`nearby_rates`), before + after the window's length, and
`share` the part of the sky within the alert's 90 % radius of the event's region. It takes alerts for
isotropic, and for as large as this one. What can't be computed gives no coincidence: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from bot.related_messages.localization_error import TARGET, radius_90
from bot.related_messages.nearby import is_classified_as_burst
from bot.related_messages.nearby_rates import NEUTRINO_STREAMS, rate_per_year
from bot.related_messages.nearby_windows import NearbyWindows, TimeWindow
from bot.skymaps.cone_search import probability_in_cone
from bot.skymaps.errors import UnreadableMap
from bot.skymaps.region_distance import PixelRegion, circle_of_area
from bot.skymaps.skymap import SkyMap, probability_inside, read_sky_map
from formatters.models.nearby_alert import NearbyAlert, NearbyCoincidence
from formatters.models.notice import Category, Event, ExternalCoincidence, Notice
from formatters.models.superevent import Superevent

EVENT_LEVEL = 0.99
"""The level of the event's credible region that an alert has to overlap."""
SECONDS_PER_YEAR = 365.25 * 86_400
SAME_TRIGGER_S = 10.0
"""A coincidence of RAVEN's with the same observatory that is nearer in time is the same trigger: a search's
time may differ from the onboard one's by its timescale, and no instrument triggers again so soon."""


@dataclass(frozen=True, slots=True)
class TimedAlert:
    """An alert in the window of an event."""

    alert: NearbyAlert
    offset_s: float
    """Time after the event, s; negative before it."""
    window: TimeWindow


def event_to_compare(superevent: Superevent) -> Event | None:
    """Return the event that alerts are compared with: of a real, significant, unretracted superevent.

    Mocks have none: an alert of GCN is real, or a test that belongs to no mock of LVK's.
    """
    event = superevent.event
    if superevent.category is not Category.REAL or superevent.is_retracted or event is None:
        return None
    return event if event.significant else None


def is_in_window(
    stream: str, trigger_time: datetime, event_time: datetime, group: str, windows: NearbyWindows
) -> bool:
    """Return True if an alert's time is near an event's; cheap, for routing. Where it lies isn't asked."""
    return windows.window(stream, group).holds((trigger_time - event_time).total_seconds())


def can_be_shown(alert: NearbyAlert) -> bool:
    """Return True unless it is clear without a sky map that an alert is shown for no event."""
    return (
        not alert.is_retracted
        and alert.is_burst
        and (alert.region_fits is not None or radius_90(alert) is not None)
        and _rate(alert) is not None
    )


def may_show_nearby(superevent: Superevent, alerts: Sequence[NearbyAlert], windows: NearbyWindows) -> bool:
    """Return True if one of the alerts may be shown for an event; where it lies isn't asked. For routing."""
    return any(can_be_shown(timed.alert) for timed in alerts_in_window(superevent, alerts, windows))


def alerts_in_window(
    superevent: Superevent, alerts: Sequence[NearbyAlert], windows: NearbyWindows
) -> list[TimedAlert]:
    """Return the alerts that are near the event in time, the nearest first.

    Left out are retracted ones, those that their sender takes for something else, and the trigger of a
    coincidence that RAVEN found: that one stands in the notice.
    """
    event, notice = event_to_compare(superevent), superevent.latest_with_event
    if event is None or notice is None:
        return []
    found = []
    for alert in alerts:
        if alert.is_retracted or not alert.is_burst or is_ravens(alert, event, notice):
            continue
        window = windows.window(alert.stream, event.group)
        offset = (alert.trigger_time - event.time).total_seconds()
        if window.holds(offset):
            found.append(TimedAlert(alert, offset, window))
    return sorted(found, key=lambda timed: (abs(timed.offset_s), timed.alert.stream, timed.alert.key))


def is_ravens(alert: NearbyAlert, event: Event, notice: Notice) -> bool:
    """Return True if a coincidence of the notice is with the same trigger."""
    return any(_is_same_trigger(alert, event, coincidence) for coincidence in notice.coincidences)


def _is_same_trigger(alert: NearbyAlert, event: Event, coincidence: ExternalCoincidence) -> bool:
    if _mission(alert) not in coincidence.observatory.casefold():
        return False
    if coincidence.gcn_notice_id is not None and coincidence.gcn_notice_id in (alert.key, *alert.ids):
        return True
    if coincidence.time_difference is None:
        # Nothing says that it is another one: of one trigger, two lines would look like two.
        return coincidence.gcn_notice_id is None
    offset = (alert.trigger_time - event.time).total_seconds()
    return abs(offset - coincidence.time_difference) <= SAME_TRIGGER_S


def _mission(alert: NearbyAlert) -> str:
    """Return "fermi", "svom" or "icecube", which the names of RAVEN's observatories contain."""
    return alert.stream.partition("-")[0]


def measure(
    timed: Sequence[TimedAlert], skymap: SkyMap, region: PixelRegion | None = None
) -> tuple[NearbyCoincidence, ...]:
    """Return those of the alerts that overlap the event's region, the nearest in time first.

    `skymap` is the event's, `region` its credible region of EVENT_LEVEL. Of two instruments of a mission that
    saw one trigger, the one that knows its position better stands.
    """
    if not timed:
        return ()
    region = region or PixelRegion.from_skymap(skymap, EVENT_LEVEL)
    best: dict[tuple[str, str], _Placed] = {}
    for one in timed:
        placed = _place(one, region)
        trigger = (_mission(one.alert), one.alert.key)
        # The better position decides, also where it lies off the region.
        if placed is not None and (trigger not in best or placed.radius < best[trigger].radius):
            best[trigger] = placed
    # Several alerts of one size, as IceCube's, are measured once.
    share = cache(region.sky_share_within)
    made = (_coincidence(placed, skymap, share) for placed in best.values())
    return tuple(coincidence for coincidence in made if coincidence is not None)


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """An alert whose 90 % region is known."""

    timed: TimedAlert
    radius: float
    """The radius of the 90 % circle, degrees; of a map, that of a circle of the same area."""
    skymap: SkyMap | None
    """The alert's own map, which then stands in for the circle."""
    is_overlapping: bool


def _place(timed: TimedAlert, region: PixelRegion) -> _Placed | None:
    """Return the alert with its 90 % region; None if that isn't known."""
    alert = timed.alert
    own = _own_map(alert)
    if own is not None:
        own_region = PixelRegion.from_skymap(own, TARGET)
        return _Placed(timed, circle_of_area(own_region.area), own, region.overlaps(own_region))
    radius = radius_90(alert)
    if radius is None or alert.position is None:
        return None
    distance = region.distance(alert.position.ra, alert.position.dec)
    return _Placed(timed, radius, None, distance <= radius)


def _own_map(alert: NearbyAlert) -> SkyMap | None:
    """Return the map in an alert; GBM's include its systematic error (GCN Circular 25726)."""
    try:
        return None if alert.region_fits is None else read_sky_map(alert.region_fits)
    except UnreadableMap:
        return None


def _coincidence(
    placed: _Placed, skymap: SkyMap, sky_share_within: Callable[[float], float]
) -> NearbyCoincidence | None:
    alert, window = placed.timed.alert, placed.timed.window
    rate = _rate(alert)
    if rate is None or not placed.is_overlapping:
        return None
    if placed.skymap is not None:
        overlap = probability_inside(placed.skymap, skymap, TARGET)
    else:
        assert alert.position is not None
        overlap = probability_in_cone(skymap, alert.position.ra, alert.position.dec, placed.radius)
    return NearbyCoincidence(
        alert=alert,
        offset_s=placed.timed.offset_s,
        overlap=overlap,
        expected_by_chance=expected_by_chance(rate, window, sky_share_within(placed.radius)),
        window_s=(window.before_s, window.after_s),
    )


def _rate(alert: NearbyAlert) -> float | None:
    """Return how many alerts a year are of the kind of this one and could be in its place."""
    is_classified = alert.stream in NEUTRINO_STREAMS or is_classified_as_burst(alert)
    return rate_per_year(alert.stream, is_classified=is_classified)


def expected_by_chance(rate_per_year: float, window: TimeWindow, share: float) -> float:
    """Return how many alerts are expected in a window, within a `share` (0 to 1) of the sky."""
    return rate_per_year * (window.before_s + window.after_s) / SECONDS_PER_YEAR * share
