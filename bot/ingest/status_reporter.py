"""Reports the status of a process's sources to the other processes on the same database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby

import structlog

from bot.sources.base import SourceStatus
from bot.store.database import StoreUnavailable
from bot.store.operations.ops_channel import OpsChannelRepository
from bot.store.operations.source_heartbeats import SourceHeartbeats

STATUS_INTERVAL_S = 5.0
"""Seconds between two heartbeats of a source."""

log = structlog.get_logger(__name__)


class SourceStatusReporter:
    """The heartbeats of one process, one for each broker."""

    def __init__(
        self,
        statuses: Callable[[], Sequence[SourceStatus]],
        source_heartbeats: SourceHeartbeats,
        ops_channel: OpsChannelRepository,
        group: str,
    ) -> None:
        """`group` is the consumer group, which tells this process from the others."""
        self._statuses = statuses
        self._source_heartbeats = source_heartbeats
        self._ops_channel = ops_channel
        self._group = group

    async def run(self) -> None:
        """Record the statuses every `STATUS_INTERVAL_S`, until cancelled."""
        while True:
            try:
                by_name = sorted(self._statuses(), key=lambda status: status.name)
                for name, statuses in groupby(by_name, key=lambda status: status.name):
                    await self._source_heartbeats.record(f"{name}:{self._group}", list(statuses))
                # The process that is connected to Slack finds the operators' channel, at any time; this
                # process needs it when it plans a notice, and cannot wait for the store then.
                await self._ops_channel.refresh()
            except StoreUnavailable as error:
                log.warning("store_unavailable", subsystem="heartbeat", reason=str(error))
            await asyncio.sleep(STATUS_INTERVAL_S)
