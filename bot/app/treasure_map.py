"""Creates the task that reads the Treasure Map from the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.settings import Settings
from bot.store.outbox.leases import TREASURE_MAP_JOB
from bot.treasure_map.client import TreasureMap
from bot.treasure_map.sync import TreasureMapSync


def create_treasure_map_sync(
    settings: Settings,
    repositories: Repositories,
    clock: Callable[[], datetime],
    on_request: Callable[[str], None],
) -> TreasureMapSync | None:
    """Create the task; None without a token, or if the settings switch it off.

    `on_request` is called with the outcome of each request for pointings.
    """
    if settings.treasuremap_token is None or settings.treasuremap_url is None:
        return None
    client = TreasureMap(settings.treasuremap_url, settings.treasuremap_token.get_secret_value())
    return TreasureMapSync(
        client,
        repositories.treasure_map,
        repositories.notices,
        clock,
        may_read=lambda: repositories.leases.holds_lease(TREASURE_MAP_JOB),
        on_request=on_request,
    )
