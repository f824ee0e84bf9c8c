"""An HTTP proxy on loopback that records the requests it forwards."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


class HttpProxy:
    """A proxy for requests and WebSockets, which rejects CONNECT to an unreachable address."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str]] = []
        """(method, URL or host:port) of each request, in order."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> HttpProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def paths(self) -> set[str]:
        """Return the paths of the forwarded requests."""
        return {urlsplit(url).path for method, url in self.asked if method != "CONNECT"}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, _, headers = head.partition("\r\n")
        method, url, version = first.split(" ")
        self.asked.append((method, url))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        parts = urlsplit(url)
        there, back = await asyncio.open_connection(parts.hostname, parts.port)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if "upgrade:" not in headers.lower():
            # One request for each connection, so that later requests are recorded too.
            lines = [line for line in headers.split("\r\n") if not line.lower().startswith("connection:")]
            headers = "\r\n".join(["Connection: close", *lines])
        back.write(f"{method} {path} {version}\r\n{headers}".encode("latin-1"))
        pumps = [asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(pumps[1:], timeout=5)
        finally:
            for pump in pumps:
                pump.cancel()
            back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
