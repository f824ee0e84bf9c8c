"""Updates of the store after Slack reports that a channel is reachable again or has another id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog

from bot.runtime.wakeups import Wakeups
from bot.store.channels.channel_moves import ChannelMoves
from bot.store.database import StoreUnavailable
from bot.store.operations.ops_channel import OpsChannelRepository
from bot.store.outbox.outbox import Outbox

STORE_RETRY_S = 1.0

log = structlog.get_logger(__name__)


class ChannelUpdates:
    """Applies to the store what Slack reports of channels."""

    def __init__(
        self,
        outbox: Outbox,
        channel_moves: ChannelMoves,
        ops_channel: OpsChannelRepository,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
        *,
        max_age: timedelta,
        configured_ops_channel: str | None,
    ) -> None:
        """Deliveries older than `max_age` are not requeued; `configured_ops_channel` is a channel id."""
        self._outbox = outbox
        self._channel_moves = channel_moves
        self._ops_channel = ops_channel
        self._clock = clock
        self._wakeups = wakeups
        self._max_age = max_age
        self._configured_ops_channel = configured_ops_channel

    async def requeue_channel(self, team_id: str, channel_id: str) -> None:
        """Requeue dead-lettered deliveries of a channel that is reachable again. Raises StoreUnavailable."""
        now = self._clock()
        count = await self._outbox.requeue_channel(team_id, channel_id, now - self._max_age, now)
        if count:
            log.info("deliveries_requeued", channel=channel_id, deliveries=count)
            self._wakeups.deliveries.set()

    async def move_channel(self, team_id: str, old_id: str, new_id: str) -> None:
        """Move everything stored for a channel to its new id.

        Slack reports a new id only once, so this waits until the store is available.
        """
        while True:
            now = self._clock()
            try:
                moved = await self._channel_moves.move_channel(
                    (team_id, old_id), (team_id, new_id), now - self._max_age, now
                )
                ops_channel = await self._ops_channel.refresh()
                break
            except StoreUnavailable as error:
                log.warning("store_unavailable", subsystem="channel_updates", reason=str(error))
                await asyncio.sleep(STORE_RETRY_S)
        log.info("channel_id_changed", team=team_id, old=old_id, new=new_id, **asdict(moved))
        if self._configured_ops_channel == old_id:
            log.warning(
                "ops_channel_moved", todo=f"set GWEVENT_OPS_CHANNEL to {new_id}", posting_in=ops_channel
            )
        self._wakeups.deliveries.set()
