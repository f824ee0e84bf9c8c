"""A source that is built again when its reader, or what is behind it, met a defect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from bot.sources.base import Payload, Source, SourceStatus


class RestartableSource:
    """An optional topic's source, which a defect doesn't end: another takes its place.

    A payload that the earlier one delivered and nobody acknowledged comes again.
    """

    def __init__(self, create: Callable[[], Source]) -> None:
        """`create` makes a source that isn't started yet. Raises SourceConfigError if it can't."""
        self._create = create
        self._current = create()
        self._fault: str | None = None
        self._has_ended = False
        self.is_stopped = False
        """True once `stop` was called."""

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield the payloads of a source until `stop`; after `end` another takes its place.

        Raises what the source raises.
        """
        if self.is_stopped:
            return
        if self._has_ended:
            self._current = self._create()
            self._has_ended = False
        self._fault = None
        async for payload in self._current.payloads():
            yield payload

    async def acknowledge(self, payload: Payload) -> None:
        """Acknowledge a payload; one of an earlier source has no effect, and comes again."""
        await self._current.acknowledge(payload)

    async def stop(self) -> None:
        """End `payloads` for good."""
        self.is_stopped = True
        await self._current.stop()

    async def end(self, fault: str) -> None:
        """End the present source because of a defect, which is shown until the next begins."""
        self._fault = fault
        self._has_ended = True
        await self._current.stop()

    def status(self) -> SourceStatus:
        """Return the status of the present source; while it waits for its start, the defect before it."""
        status = self._current.status()
        return status if self._fault is None else replace(status, connected=False, detail=self._fault)
