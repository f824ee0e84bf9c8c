"""The alerts near a stored superevent, compared with its sky map off the event loop, each comparison once."""

from __future__ import annotations

from bot.related_messages.coincidence import TimedAlert, alerts_in_window, event_to_compare, measure
from bot.runtime.single_flight import SingleFlight
from bot.runtime.threads import run_in_thread
from bot.skymap_service.cache import SkyMapCache
from bot.store.events.nearby_alerts import NearbyAlertRepository
from formatters.models.nearby_alert import NearbyCoincidence
from formatters.models.notice import NoticeKey
from formatters.models.superevent import Superevent

_KEPT = 200
"""Comparisons that are kept; most events have no alert near them, and ask for none."""

_Question = tuple[NoticeKey, tuple[TimedAlert, ...]]


class NearbyCoincidences:
    """Answers which bursts and neutrinos lie near a superevent. Raises StoreUnavailable and ThreadHangs.

    What fails is not "none": a line that stands must not vanish because of it.
    """

    def __init__(self, alerts: NearbyAlertRepository, maps: SkyMapCache) -> None:
        self._alerts = alerts
        self._maps = maps
        self._answers: SingleFlight[_Question, tuple[NearbyCoincidence, ...]] = SingleFlight(_KEPT)

    async def for_event(self, superevent: Superevent) -> tuple[NearbyCoincidence, ...]:
        """Return the alerts in the window that overlap the event's 99 % region, the nearest in time first.

        The map is the newest one, of the gravitational waves alone where there is one: a combined map holds
        an alert already. Without a map, and for a mock, a test, an event that was retracted or isn't
        significant, there are none.
        """
        event, notice = event_to_compare(superevent), superevent.latest_with_map
        if event is None or notice is None:
            return ()
        stored = await self._alerts.between(*self._alerts.windows.widest.around(event.time))
        timed = tuple(alerts_in_window(superevent, stored, self._alerts.windows))
        if not timed:
            return ()

        async def compare() -> tuple[NearbyCoincidence, ...]:
            maps = await self._maps.get(notice.key)
            skymap = None if maps is None else maps.gw or maps.combined
            if skymap is None:
                return ()
            return await run_in_thread(measure, timed, skymap)

        return await self._answers.get((notice.key, timed), compare)
