"""A local HTTP server with one file and a folder's listing, which can fail in the ways that servers do."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What a local server gives at /file.fits, and what it was asked."""

    body: bytes
    etag: str | None = '"one"'
    cut_after: int | None = None
    """Bytes of the body after which the connection is closed."""
    extra_length: int = 0
    """What Content-Length says too much; the connection is closed at the end of the body."""
    status: int | None = None
    listing: str = ""
    is_packed: bool = False
    is_chunked: bool = False
    wrong_range: bool = False
    redirect: str | None = None
    ranges: list[str | None] = field(default_factory=list)
    """The Range of each request."""
    url: str = ""


@contextmanager
def file_server(body: bytes) -> Iterator[FileServer]:
    """Serve the body at any path that ends with no "/", and the listing at the others."""
    state = FileServer(body)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            if state.status is not None:
                self.send_error(state.status)
                return
            if state.redirect is not None:
                self.send_response(302)
                self.send_header("Location", state.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path.endswith("/"):
                self.reply(200, state.listing.encode(), {})
                return
            body = gzip.compress(state.body) if state.is_packed else state.body
            headers = {"Content-Encoding": "gzip"} if state.is_packed else {}
            if state.etag is not None:
                headers["ETag"] = state.etag
            if wanted and self.headers.get("If-Range") == state.etag:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
                if start >= len(body):
                    self.reply(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                    return
                first = start + 1 if state.wrong_range else start
                headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
                self.reply(206, body[start:], headers)
                return
            self.reply(200, body, headers)

        def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if not state.is_chunked:
                self.send_header("Content-Length", str(len(body) + state.extra_length))
            self.end_headers()
            self.wfile.write(body if state.cut_after is None else body[: state.cut_after])
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/file.fits"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
