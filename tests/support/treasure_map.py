"""A Treasure Map on loopback: real HTTP, answers by formula in the form of the server's own, and faults."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from bot.samples.treasure_map import FOOTPRINTS, INSTRUMENTS, pointing

TOKEN = "a-token-of-the-tests"
BROKEN, CUT_OFF, HANGS, HTML = "broken", "cut off", "hangs", "html"
Fault = int | str | tuple[int, str]


def grid(
    count: int, start: datetime, *, first: int = 1, step: timedelta = timedelta(seconds=40), **changes: Any
) -> list[dict[str, Any]]:
    """Return so many pointings on a grid by formula, one each `step`."""
    return [
        pointing(first + n, (7 * n) % 360, ((3 * n) % 120) - 60, start + n * step, **changes)
        for n in range(count)
    ]


@dataclass
class FakeTreasureMap:
    """A server of pointings under /api/v1/ that counts requests."""

    pointings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Superevent -> its pointings."""
    instruments: list[dict[str, Any]] = field(default_factory=lambda: [dict(one) for one in INSTRUMENTS])
    footprints: dict[int, Sequence[str]] = field(default_factory=lambda: dict(FOOTPRINTS))
    asked: Counter[str] = field(default_factory=Counter)
    """Requests by path, pointings by superevent too: "pointings S1"."""
    queries: list[Mapping[str, str]] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    tokens: set[str | None] = field(default_factory=set)
    agents: set[str | None] = field(default_factory=set)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """Path -> faults of the next answers: status, (status, Retry-After), or a word above."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Path -> the Location of its answer."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """Path -> the raw answer."""
    token: str = TOKEN
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{port}/api/v1/"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def requests(self, path: str = "pointings") -> int:
        return self.asked[path]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v1/")
        self.asked[path] += 1
        if "graceid" in request.query:
            self.asked[f"{path} {request.query['graceid']}"] += 1
        self.queries.append(dict(request.query))
        self.methods.add(request.method)
        self.agents.add(request.headers.get("User-Agent"))
        self.tokens.add(request.headers.get("api_token"))
        waiting = self.faults.get(path)
        if waiting:
            return await self._fault(request, waiting.pop(0))
        if path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[path]})
        if request.headers.get("api_token") != self.token:
            return web.json_response({"message": "Invalid API token"}, status=401)
        if path in self.raw:
            return web.Response(body=self.raw[path], content_type="application/json")
        return self._page(path, request.query)

    async def _fault(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if isinstance(fault, int):
            return web.json_response({"message": "A database error occurred"}, status=fault)
        if isinstance(fault, tuple):
            return web.Response(status=fault[0], headers={"Retry-After": fault[1]})
        if fault == BROKEN:
            return web.Response(text='[{"id": ', content_type="application/json")
        if fault == HTML:
            return web.Response(text="<!DOCTYPE html><title>Log in</title>", content_type="text/html")
        if fault == HANGS:
            await asyncio.sleep(3_600)
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"[")
        assert request.transport is not None
        request.transport.close()
        return response

    def _page(self, path: str, query: Mapping[str, str]) -> web.Response:
        if path == "pointings":
            return self._pointings(query)
        if path == "instruments":
            return web.json_response(self.instruments)
        if path == "footprints":
            number = int(query["id"])
            found = [
                {"id": 100 * number + at, "instrumentid": number, "footprint": wkt}
                for at, wkt in enumerate(self.footprints.get(number, []))
            ]
            return web.json_response(found)
        return web.json_response({"message": "Not Found"}, status=404)

    def _pointings(self, query: Mapping[str, str]) -> web.Response:
        found = self.pointings.get(query["graceid"], [])
        status = query.get("status")
        if status is not None and status not in ("planned", "completed", "cancelled"):
            return web.json_response({"message": f"Invalid status: {status}", "errors": []}, status=400)
        for name, value in query.items():
            kind, _, end = name.partition("_")
            if name == "status":
                found = [one for one in found if one["status"] == value]
            elif end in ("after", "before"):
                at = datetime.fromisoformat(value)
                found = [
                    one
                    for one in found
                    if one["status"] == kind and (_time(one) >= at if end == "after" else _time(one) <= at)
                ]
        return web.Response(body=json.dumps(found).encode(), content_type="application/json")


def _time(one: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(one["time"])
