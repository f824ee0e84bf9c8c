"""A proxy before PostgreSQL's socket that falls silent, as one does whose server is frozen or lost."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import make_url

SOCKET_NAME = ".s.PGSQL.5432"


class SilentProxy:
    """Passes on what the server and its clients say, until it is told to be silent."""

    def __init__(self, server: Path) -> None:
        """`server` is the server's socket."""
        self._server = server
        self._silenced: list[asyncio.Event] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def silence(self) -> None:
        """Let the connections of this moment stay open and say nothing any more; new ones work."""
        for silenced in self._silenced:
            silenced.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        there_reader, there_writer = await asyncio.open_unix_connection(self._server)
        silenced = asyncio.Event()
        self._silenced.append(silenced)
        for source, target in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(_pass_on(source, target, silenced))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pass_on(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, silenced: asyncio.Event
) -> None:
    try:
        while data := await source.read(65_536):
            if silenced.is_set():
                await asyncio.Event().wait()
            target.write(data)
            await target.drain()
    except ConnectionError:
        # Either side is gone; so is the other then.
        pass
    finally:
        target.close()


@asynccontextmanager
async def silent_proxy(url: str) -> AsyncIterator[tuple[SilentProxy, str]]:
    """Yield a proxy before the server of a database's URL, and the URL of the database behind it."""
    parsed = make_url(url)
    folder = parsed.query["host"]
    assert isinstance(folder, str)
    proxy = SilentProxy(Path(folder) / SOCKET_NAME)
    # A socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="gwevent-pg-", dir="/tmp") as own:
        server = await asyncio.start_unix_server(proxy.serve, Path(own) / SOCKET_NAME)
        try:
            yield proxy, parsed.update_query_dict({"host": own}).render_as_string(hide_password=False)
        finally:
            server.close()
            await proxy.stop()
