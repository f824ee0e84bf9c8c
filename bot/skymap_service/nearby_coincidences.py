"""The alerts near a stored superevent."""

from __future__ import annotations

from bot.skymap_service.cache import SkyMapCache
from bot.store.events.nearby_alerts import NearbyAlertRepository
from formatters.models.nearby_alert import NearbyCoincidence
from formatters.models.superevent import Superevent


class NearbyCoincidences:
    """Answers which bursts and neutrinos lie near a superevent. Raises StoreUnavailable."""

    def __init__(self, alerts: NearbyAlertRepository, maps: SkyMapCache) -> None:
        self._alerts = alerts
        self._maps = maps

    async def for_event(self, superevent: Superevent) -> tuple[NearbyCoincidence, ...]:
        """Return the alerts in the window that overlap the event's 99 % region, the nearest in time first."""
        raise NotImplementedError
