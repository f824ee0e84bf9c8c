"""Repository of bursts and neutrinos that name no event, each in its newest state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.store.database import Database
from formatters.models.nearby_alert import NearbyAlert


@dataclass(frozen=True, slots=True)
class RecordedAlert:
    """What recording one version of an alert did."""

    is_changed: bool
    follow_ups: int


class NearbyAlertRepository:
    """Stores alerts and asks for the Follow-up replies that may show them. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, alert: NearbyAlert, received_at: datetime, *, is_news: bool) -> RecordedAlert:
        """Store one version of an alert and plan what follows."""
        raise NotImplementedError
