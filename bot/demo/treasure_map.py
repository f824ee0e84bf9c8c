"""A Treasure Map on loopback for the demo: what two groups report of the story's events, by formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from bot.alerts.decode import decode
from bot.samples import SampleNotice, to_avro
from bot.samples.treasure_map import FOOTPRINTS, INSTRUMENTS, followed_up
from formatters.models.notice import Category

TOKEN = "the-demo"  # noqa: S105  it opens nothing but the demo's own server
_IDS_PER_EVENT = 100


@dataclass(frozen=True, slots=True)
class _Target:
    ra: float
    dec: float
    event_time: datetime


class DemoTreasureMap:
    """A server under /api/v1/ that follows the Treasure Map's API as far as gwevent asks it."""

    def __init__(self, story: Iterable[object], clock: Callable[[], datetime]) -> None:
        """`story` are the demo's samples; what `clock` has passed is done, the rest planned."""
        self._targets = _targets(story)
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self.url = ""
        """Set once it listens."""

    async def start(self) -> None:
        """Listen at a free port of this machine."""
        app = web.Application()
        app.router.add_get("/api/v1/pointings", self._pointings)
        app.router.add_get("/api/v1/instruments", self._instruments)
        app.router.add_get("/api/v1/footprints", self._footprints)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/api/v1/"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pointings(self, request: web.Request) -> web.Response:
        if request.headers.get("api_token") != TOKEN:
            return web.json_response({"message": "Invalid API token"}, status=401)
        superevent_id = request.query.get("graceid", "")
        target = self._targets.get(superevent_id)
        if target is None:
            return web.json_response([])
        first = _IDS_PER_EVENT * list(self._targets).index(superevent_id) + 1
        return web.json_response(followed_up(first, target.ra, target.dec, target.event_time, self._clock()))

    async def _instruments(self, _: web.Request) -> web.Response:
        return web.json_response(INSTRUMENTS)

    async def _footprints(self, request: web.Request) -> web.Response:
        number = int(request.query["id"])
        detectors = enumerate(FOOTPRINTS.get(number, ()))
        return web.json_response(
            [{"id": 100 * number + at, "instrumentid": number, "footprint": wkt} for at, wkt in detectors]
        )


def _targets(story: Iterable[object]) -> dict[str, _Target]:
    """Return the peak of the newest map of each real, significant event that isn't retracted."""
    found: dict[str, _Target] = {}
    for sample in story:
        if not isinstance(sample, SampleNotice):
            continue
        notice = decode(to_avro(sample.record))
        sky, event = notice.best_localization, notice.event
        if notice.is_retraction:
            found.pop(notice.superevent_id, None)
        elif sky is not None and event is not None and event.significant and notice.category is Category.REAL:
            found[notice.superevent_id] = _Target(sky.ra, sky.dec, event.time)
    return found
