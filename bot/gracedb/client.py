"""HTTP client for the public part of GraceDB.

Answers are bounded in size and time, and each error is one sentence. The API is
https://gracedb.ligo.org/documentation/; the meaning of its status codes is taken from LVK's own client (PyPI
`ligo-gracedb` 2.16.1): 404 for what isn't public, 429 with Retry-After, 503 with Retry-After if the request
may be repeated, and 503 without it while GraceDB is down for maintenance.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin

import httpx

from bot import __version__
from bot.alerts.payload import MAX_PAYLOAD_BYTES, is_nested_deeper_than
from bot.runtime.http_answers import RefusedRedirect, parse_retry_after, resolve_redirect

USER_AGENT = f"gwevent/{__version__}"
"""GraceDB rejects requests without one."""
MAX_JSON_BYTES = 8 * 2**20
"""Limit of a JSON answer; the logs of the busiest superevents have about 1 MB."""
MAX_FILE_BYTES = MAX_PAYLOAD_BYTES
"""Limit of a file, the same as that of a payload."""
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
"""Between two chunks of an answer."""
REQUEST_TIMEOUT_S = 60.0
"""For an answer as a whole."""
MAX_REDIRECTS = 3
MAX_NESTING = 100
"""Levels of a JSON answer; a superevent's has five."""
DEFAULT_RETRY_AFTER_S = 60.0

_FILE_NAME = re.compile(r"\w[\w.,+-]{0,199}")


class GraceDbError(Exception):
    """GraceDB gave no usable answer; the text is one sentence for people."""


class SupereventNotPublic(GraceDbError):
    """The superevent or file does not exist for the public (HTTP 401, 403 or 404)."""

    def __init__(self, what: str) -> None:
        super().__init__(f"In GraceDB {what} is not public or doesn't exist.")


class GraceDbBusy(GraceDbError):
    """GraceDB limits the rate, is down or cannot be reached; the same request may succeed later."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds to wait, from the Retry-After header; None if there was none."""


class UnreadableAnswer(GraceDbError):
    """The answer is not what the API promises."""


class GraceDb:
    """A client of one GraceDB server. After a Retry-After, requests fail at once until that time is over."""

    def __init__(self, base_url: str, *, pace_s: float = 0.0) -> None:
        """`base_url` ends with a slash; `pace_s` is the least time between the starts of two requests."""
        self._base_url = base_url
        self._pace_s = pace_s
        self._client: httpx.AsyncClient | None = None
        self._request_lock = asyncio.Lock()
        self._next_at = -math.inf
        self._retry_not_before = -math.inf
        self._has_notice_lists = True

    def page_url(self, superevent_id: str) -> str:
        """Return the URL of a superevent's web page."""
        return urljoin(self._base_url, f"../superevents/{_path_segment(superevent_id)}/view/")

    async def service_document(self) -> Any:
        """Return the JSON at the API's root, which names what it offers. Raises GraceDbError."""
        return await self._get_json("", "the service document")

    async def superevent(self, superevent_id: str) -> Any:
        """Return the superevent's JSON. Raises GraceDbError."""
        return await self._get_json(f"superevents/{_path_segment(superevent_id)}/", superevent_id)

    async def labels(self, superevent_id: str) -> Any:
        """Return the superevent's labels with their times. Raises GraceDbError."""
        return await self._get_json(f"superevents/{_path_segment(superevent_id)}/labels/", superevent_id)

    async def logs(self, superevent_id: str) -> Any:
        """Return the superevent's log, which holds the upload times of its files. Raises GraceDbError."""
        return await self._get_json(f"superevents/{_path_segment(superevent_id)}/logs/", superevent_id)

    async def files(self, superevent_id: str) -> Any:
        """Return the superevent's file names with their URLs. Raises GraceDbError."""
        return await self._get_json(f"superevents/{_path_segment(superevent_id)}/files/", superevent_id)

    async def notices(self, superevent_id: str) -> Any:
        """Return the list of notices sent, or None if this server has no such lists. Raises GraceDbError."""
        if not self._has_notice_lists:
            return None
        try:
            return await self._get_json(
                f"v2/superevents/{_path_segment(superevent_id)}/notices/", superevent_id
            )
        except SupereventNotPublic:
            # A superevent without notices has an empty list, so a 404 means that the server has no lists.
            self._has_notice_lists = False
            return None

    async def superevents(self, query: str, start: int, count: int) -> Any:
        """Return one page of a search. Raises GraceDbError."""
        return await self._get_json(
            "superevents/", "the list", {"query": query, "start": start, "count": count}
        )

    async def file_json(self, superevent_id: str, name: str) -> Any:
        """Return the content of a JSON file. Raises GraceDbError."""
        return _parse_json(await self.file(superevent_id, name, MAX_JSON_BYTES))

    async def file(self, superevent_id: str, name: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
        """Return a file's content. Raises GraceDbError, also if it has more than `max_bytes` bytes."""
        if _FILE_NAME.fullmatch(name) is None:
            raise UnreadableAnswer("GraceDB names a file as none is called.")
        path = f"superevents/{_path_segment(superevent_id)}/files/{quote(name, safe=',')}"
        return await self._get(path, f"{superevent_id}'s {name}", max_bytes)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _get_json(self, path: str, what: str, params: Mapping[str, Any] | None = None) -> Any:
        return _parse_json(await self._get(path, what, MAX_JSON_BYTES, params))

    async def _get(
        self, path: str, what: str, max_bytes: int, params: Mapping[str, Any] | None = None
    ) -> bytes:
        await self._wait_for_turn()
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await self._fetch(path, what, max_bytes, params)
        except (httpx.TimeoutException, TimeoutError):
            raise GraceDbBusy("GraceDB didn't answer in time.") from None
        except httpx.ConnectError:
            raise GraceDbBusy("GraceDB can't be reached.") from None
        except httpx.TransportError as error:
            raise GraceDbBusy(f"GraceDB broke off its answer ({type(error).__name__}).") from None
        except RefusedRedirect as error:
            raise UnreadableAnswer(f"GraceDB {error}") from None
        except (httpx.DecodingError, httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise UnreadableAnswer("GraceDB's answer can't be read.") from None

    async def _fetch(self, path: str, what: str, max_bytes: int, params: Mapping[str, Any] | None) -> bytes:
        url = urljoin(self._base_url, path)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._http_client().stream("GET", url, params=params) as response:
                if response.has_redirect_location:
                    # The redirect's URL holds the query.
                    location = response.headers["Location"]
                    url, params = resolve_redirect(self._base_url, url, location), None
                    continue
                self._raise_for_status(response, what)
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > max_bytes:
                        raise UnreadableAnswer(f"GraceDB's answer has more than {max_bytes // 2**20} MB.")
                return bytes(body)
        raise UnreadableAnswer("GraceDB sends us from one address to the next, without an end.")

    def _http_client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers={"User-Agent": USER_AGENT},
                timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            )
        return self._client

    def _raise_for_status(self, response: httpx.Response, what: str) -> None:
        """Raise GraceDbError unless the status is 200."""
        status = response.status_code
        if status == httpx.codes.OK:
            return
        wait = parse_retry_after(response.headers.get("Retry-After"))
        if status == httpx.codes.TOO_MANY_REQUESTS or (
            status == httpx.codes.SERVICE_UNAVAILABLE and wait is not None
        ):
            wait = DEFAULT_RETRY_AFTER_S if wait is None else wait
            self._retry_not_before = time.monotonic() + wait
            raise _rate_limited(wait)
        if status == httpx.codes.SERVICE_UNAVAILABLE:
            raise GraceDbBusy("GraceDB is down for maintenance.")
        if status in (httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN, httpx.codes.UNAUTHORIZED):
            raise SupereventNotPublic(what)
        if response.is_server_error:
            raise GraceDbBusy(f"GraceDB has trouble of its own (HTTP {status}).")
        raise UnreadableAnswer(f"GraceDB didn't understand the request (HTTP {status}).")

    async def _wait_for_turn(self) -> None:
        async with self._request_lock:
            wait = self._retry_not_before - time.monotonic()
            if wait > 0:
                raise _rate_limited(wait)
            if self._pace_s:
                await asyncio.sleep(max(0.0, self._next_at - time.monotonic()))
                self._next_at = time.monotonic() + self._pace_s


def _path_segment(superevent_id: str) -> str:
    """Return an id quoted as a single segment of a URL's path, even if it is `..`."""
    quoted = quote(superevent_id, safe="")
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


def _rate_limited(seconds: float) -> GraceDbBusy:
    return GraceDbBusy(f"GraceDB asks us to wait {math.ceil(seconds)} s.", seconds)


def _parse_json(body: bytes) -> Any:
    try:
        answer = json.loads(body)
    except RecursionError:
        raise _too_deeply_nested() from None
    except ValueError:
        raise UnreadableAnswer("GraceDB's answer isn't JSON.") from None
    if is_nested_deeper_than(MAX_NESTING, answer):
        raise _too_deeply_nested()
    return answer


def _too_deeply_nested() -> UnreadableAnswer:
    return UnreadableAnswer("GraceDB's answer is nested more deeply than any of its own.")
