"""Updates of the store after Slack reports that a channel is reachable again or has another id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from bot.routing.intents import ChannelRef
from bot.runtime.retry import retry_until_done
from bot.runtime.wakeups import Wakeups
from bot.store.channels.channel_moves import ChannelMoves, MoveResult
from bot.store.database import StoreUnavailable
from bot.store.operations.ops_channel import OpsChannelRepository
from bot.store.outbox.outbox import Outbox

STORE_RETRY_S = 1.0
MAX_STORE_RETRY_S = 5.0

T = TypeVar("T")

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
        """Requeue dead-lettered deliveries of a channel that is reachable again.

        Slack doesn't repeat what was acknowledged, so this waits until the store is available.
        """

        async def requeue() -> int:
            now = self._clock()
            return await self._outbox.requeue_channel(team_id, channel_id, now - self._max_age, now)

        count = await _retry_until_stored(requeue)
        if count:
            log.info("deliveries_requeued", channel=channel_id, deliveries=count)
            self._wakeups.deliveries.set()

    async def move_channel(self, team_id: str, old_id: str, new_id: str) -> None:
        """Move everything stored for a channel to its new id.

        Slack reports a new id only once, so this waits until the store is available.
        """

        async def move() -> tuple[MoveResult, ChannelRef | None]:
            now = self._clock()
            moved = await self._channel_moves.move_channel(
                (team_id, old_id), (team_id, new_id), now - self._max_age, now
            )
            return moved, await self._ops_channel.refresh()

        moved, ops_channel = await _retry_until_stored(move)
        log.info("channel_id_changed", team=team_id, old=old_id, new=new_id, **asdict(moved))
        if self._configured_ops_channel == old_id:
            log.warning(
                "ops_channel_moved", todo=f"set GWEVENT_OPS_CHANNEL to {new_id}", posting_in=ops_channel
            )
        self._wakeups.deliveries.set()


async def _retry_until_stored(work: Callable[[], Awaitable[T]]) -> T:
    return await retry_until_done(
        work,
        expected=StoreUnavailable,
        on_failure=lambda error, _wait_s: log.warning(
            "store_unavailable", subsystem="channel_updates", reason=str(error)
        ),
        first_wait_s=STORE_RETRY_S,
        max_wait_s=MAX_STORE_RETRY_S,
    )
