"""Read all pointings of a superevent: in one request, or in narrower ones if its answer is too large."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import structlog

from bot.treasure_map.client import AnswerTooLarge, TreasureMap
from bot.treasure_map.conversion import RawPointings, merge_pointings, parse_pointings

PACE_S = 1.0
"""Between two of several requests."""
MAX_REQUESTS = 60
"""For one superevent; 100,000 pointings take about 20."""
SHORTEST_WINDOW = timedelta(minutes=1)
"""Of the times that one request asks for: an answer that is too large even then is given up."""

_EDGES = tuple(timedelta(days=days) for days in (0, 0.25, 1, 2, 4, 7, 30))
"""Times after the event between which narrower requests ask; the first and the last are open."""

Window = tuple[datetime | None, datetime | None]

log = structlog.get_logger(__name__)


async def read_pointings(client: TreasureMap, superevent_id: str, event_time: datetime) -> RawPointings:
    """Return all pointings of a superevent. Raises TreasureMapError; AnswerTooLarge if parts are too large.

    In parts they are the done and the planned ones, by time; cancelled ones, for which the API has no times,
    are left out if they are too many.
    """
    try:
        return await asyncio.to_thread(parse_pointings, await client.pointings(superevent_id))
    except AnswerTooLarge:
        log.info("treasure_map_answer_split", superevent_id=superevent_id)
    return await _Parts(client, superevent_id).read(event_time)


class _Parts:
    """The requests for one superevent whose pointings don't fit in one answer."""

    def __init__(self, client: TreasureMap, superevent_id: str) -> None:
        self._client = client
        self._superevent_id = superevent_id
        self._requests = 0

    async def read(self, event_time: datetime) -> RawPointings:
        parts = []
        for status in ("completed", "planned"):
            waiting = list(_windows(event_time))
            while waiting:
                window = waiting.pop()
                try:
                    parts.append(await self._part(_conditions(status, window)))
                except AnswerTooLarge:
                    waiting += _halves(window)
        try:
            parts.append(await self._part({"status": "cancelled"}))
        except AnswerTooLarge:
            log.info("treasure_map_cancelled_left_out", superevent_id=self._superevent_id)
        return await asyncio.to_thread(merge_pointings, parts)

    async def _part(self, conditions: Mapping[str, str]) -> RawPointings:
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            raise AnswerTooLarge
        await asyncio.sleep(PACE_S)
        answer = await self._client.pointings(self._superevent_id, **conditions)
        return await asyncio.to_thread(parse_pointings, answer)


def _windows(event_time: datetime) -> Iterator[Window]:
    edges = [None, *(event_time + after for after in _EDGES), None]
    yield from pairwise(edges)


def _halves(window: Window) -> list[Window]:
    """Return both halves of a window. Raises AnswerTooLarge if it is open or as short as any."""
    after, before = window
    if after is None or before is None or before - after <= SHORTEST_WINDOW:
        raise AnswerTooLarge
    middle = after + (before - after) / 2
    return [(after, middle), (middle, before)]


def _conditions(status: str, window: Window) -> dict[str, str]:
    """Return the API's conditions: both ends are included, and its times are UTC without a zone."""
    ends = {f"{status}_{name}": at for name, at in zip(("after", "before"), window, strict=True)}
    times = {
        name: at.astimezone(UTC).replace(tzinfo=None).isoformat()
        for name, at in ends.items()
        if at is not None
    }
    return {"status": status, **times}
