"""A GraceDB on loopback: real HTTP, made or recorded answers, and faults on demand."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.samples import Record, to_json

BROKEN = "broken"
CUT_OFF = "cut off"
HANGS = "hangs"


@dataclass
class Event:
    """One superevent on the server."""

    superevent: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    """Name, or "name,version" -> content."""
    labels: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] | None = None
    """File names of the notices, if the server lists them."""


class FakeGraceDb:
    """A server of superevents under /api/ that counts requests."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.asked: Counter[str] = Counter()
        self.agents: set[str | None] = set()
        self.queries: list[Mapping[str, str]] = []
        self.faults: dict[str, list[int | str | tuple[int, str]]] = {}
        """End of a path -> faults of the next answers: status, (status, Retry-After), or a word above."""
        self.at_once = 0
        self.most_at_once = 0
        self.gate = asyncio.Event()
        """Requests wait until it is set."""
        self.redirects: dict[str, str] = {}
        """Path -> the Location of its answer."""
        self.raw: dict[str, bytes] = {}
        """Path -> the raw answer."""
        self.gate.set()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{port}/api/"

    async def stop(self) -> None:
        self.gate.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def add(self, event: Event) -> Event:
        self.events[event.superevent["superevent_id"]] = event
        return event

    def requests(self) -> int:
        return sum(self.asked.values())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/")
        self.asked[path] += 1
        self.agents.add(request.headers.get("User-Agent"))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            fault = next((f for end, f in self.faults.items() if f and request.path.endswith(end)), None)
            if fault is not None:
                return await self._fault(request, fault.pop(0))
            if path in self.redirects:
                return web.Response(status=302, headers={"Location": self.redirects[path]})
            if path in self.raw:
                return web.Response(body=self.raw[path], content_type="application/json")
            return self._page(path, request)
        finally:
            self.at_once -= 1

    async def _fault(self, request: web.Request, fault: int | str | tuple[int, str]) -> web.StreamResponse:
        if isinstance(fault, int):
            return web.Response(status=fault)
        if isinstance(fault, tuple):
            return web.Response(status=fault[0], headers={"Retry-After": fault[1]})
        if fault == BROKEN:
            return web.Response(text='{"superevent_id": ', content_type="application/json")
        if fault == HANGS:
            await asyncio.sleep(3_600)
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return response

    def _page(self, path: str, request: web.Request) -> web.Response:
        match path.strip("/").split("/"):
            case ["superevents"]:
                return self._search(request)
            case ["superevents", superevent_id, *rest] if superevent_id in self.events:
                return self._of(self.events[superevent_id], rest)
            case ["v2", "superevents", superevent_id, "notices"] if superevent_id in self.events:
                listed = self.events[superevent_id].notices
                if listed is not None:
                    numbered = [{"N": n, "filename": name} for n, name in enumerate(listed, start=1)]
                    return web.json_response({"notices": numbered, "numRows": len(listed)})
        return web.Response(status=404, text='{"detail": "Not found."}')

    def _search(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        start, count = int(request.query["start"]), int(request.query["count"])
        found = [event.superevent for event in self.events.values()]
        return web.json_response({"numRows": len(found), "superevents": found[start : start + count]})

    def _of(self, event: Event, rest: list[str]) -> web.Response:
        match rest:
            case []:
                return web.json_response(event.superevent)
            case ["labels"]:
                return web.json_response({"labels": event.labels})
            case ["logs"]:
                return web.json_response({"numRows": len(event.log), "log": event.log})
            case ["files"]:
                return web.json_response({name: f"https://example.org/{name}" for name in event.files})
            case ["files", name] if name in event.files:
                return web.Response(body=event.files[name], content_type="application/octet-stream")
        return web.Response(status=404)


def superevent(superevent_id: str, *labels: str, **changes: Any) -> dict[str, Any]:
    """Return the JSON of a binary's superevent as GraceDB shows it to the public."""
    return {
        "superevent_id": superevent_id,
        "gw_id": None,
        "category": "Production",
        "created": "2019-04-25 08:18:26 UTC",
        "t_0": 1240215503.017147,
        "far": 4.538e-13,
        "time_coinc_far": None,
        "space_coinc_far": None,
        "labels": list(labels),
        "preferred_event_data": {
            "group": "CBC",
            "pipeline": "gstlal",
            "search": "AllSky",
            "gpstime": 1240215503.011549,
            "instruments": "L1,V1",
            "far": 4.538e-13,
        },
    } | changes


def with_notices(superevent_id: str, *records: Record, labels: tuple[str, ...] = ("ADVOK",)) -> Event:
    """Return a superevent whose notices are files on the server, the first of each type as version 0."""
    files: dict[str, bytes] = {}
    counts: Counter[str] = Counter()
    for record in records:
        name = f"{superevent_id}-{record['alert_type'].lower()}.json"
        files[f"{name},{counts[name]}"] = files[name] = to_json(record)
        counts[name] += 1
    return Event(superevent(superevent_id, *labels), files)


def log_entry(name: str, version: int, created: str) -> dict[str, Any]:
    return {"N": 1, "filename": name, "file_version": version, "created": created, "comment": ""}


def jsonb(value: object) -> bytes:
    return json.dumps(value).encode()
