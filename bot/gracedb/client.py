"""HTTP to GraceDB: one request at a time is fetched, bounded in size and time, and its failure is a sentence.

The API is https://gracedb.ligo.org/documentation/; what its statuses mean is taken from LVK's own client
(PyPI `ligo-gracedb` 2.16.1): 404 for what isn't public, 429 with Retry-After, 503 with Retry-After when it
may be repeated and without when GraceDB is down for maintenance.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx

from bot import __version__
from bot.alerts.payload import MAX_PAYLOAD_BYTES, is_nested_deeper_than

USER_AGENT = f"gwevent/{__version__}"
"""GraceDB refuses a blank one."""
MAX_JSON_BYTES = 8 * 2**20
"""Bytes of an answer: the logs of the busiest superevents have about 1 MB."""
MAX_FILE_BYTES = MAX_PAYLOAD_BYTES
"""Bytes of a file: more than this no payload may have either."""
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
"""Between two pieces of an answer."""
REQUEST_TIMEOUT_S = 60.0
"""For an answer as a whole."""
MAX_REDIRECTS = 3
"""Redirects that are followed."""
MAX_NESTING = 100
"""Levels of an answer; a superevent's JSON has five."""
DEFAULT_RETRY_AFTER_S = 60.0
MAX_RETRY_AFTER_S = 3_600.0

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FILE_NAME = re.compile(r"\w[\w.,+-]{0,199}")


class GraceDbError(Exception):
    """GraceDB gave no answer that can be used; its text is one sentence for a person."""


class NotPublic(GraceDbError):
    """There is no such thing for the public: 404."""

    def __init__(self, what: str) -> None:
        super().__init__(f"In GraceDB {what} is not public or doesn't exist.")


class Busy(GraceDbError):
    """GraceDB asks for patience, or can't be reached: the same request may succeed later."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds, where GraceDB said so."""


class Unreadable(GraceDbError):
    """The answer isn't what the API promises."""


class GraceDb:
    """The public part of one GraceDB. Asked too much, it says until when to be silent, and that is kept."""

    def __init__(self, base_url: str, *, pace_s: float = 0.0) -> None:
        """`base_url` ends in a slash; at least `pace_s` seconds lie between the starts of two requests."""
        self._base_url = base_url
        self._pace_s = pace_s
        self._client: httpx.AsyncClient | None = None
        self._request_lock = asyncio.Lock()
        self._next_at = -math.inf
        self._retry_not_before = -math.inf
        self._has_notice_lists = True

    def page_url(self, superevent_id: str) -> str:
        """The address of a superevent's page for people."""
        return urljoin(self._base_url, f"../superevents/{_path_segment(superevent_id)}/view/")

    async def superevent(self, superevent_id: str) -> Any:
        """The superevent's JSON. Raises GraceDbError."""
        return await self._get_json(f"superevents/{_path_segment(superevent_id)}/", superevent_id)

    async def labels(self, superevent_id: str) -> Any:
        """The labels, each with the time it was set. Raises GraceDbError."""
        return await self._get_json(f"superevents/{_path_segment(superevent_id)}/labels/", superevent_id)

    async def logs(self, superevent_id: str) -> Any:
        """The log, which knows when each file was uploaded. Raises GraceDbError."""
        return await self._get_json(f"superevents/{_path_segment(superevent_id)}/logs/", superevent_id)

    async def files(self, superevent_id: str) -> Any:
        """File names with their addresses. Raises GraceDbError."""
        return await self._get_json(f"superevents/{_path_segment(superevent_id)}/files/", superevent_id)

    async def notices(self, superevent_id: str) -> Any:
        """The notices that were sent, or None where this GraceDB is older than that. Raises GraceDbError."""
        if not self._has_notice_lists:
            return None
        try:
            return await self._get_json(
                f"v2/superevents/{_path_segment(superevent_id)}/notices/", superevent_id
            )
        except NotPublic:
            # Of a superevent without notices the list is empty, so it is the list that is missing.
            self._has_notice_lists = False
            return None

    async def superevents(self, query: str, start: int, count: int) -> Any:
        """One page of a search. Raises GraceDbError."""
        return await self._get_json(
            "superevents/", "the list", {"query": query, "start": start, "count": count}
        )

    async def file_json(self, superevent_id: str, name: str) -> Any:
        """A file that holds JSON. Raises GraceDbError."""
        return _parse_json(await self.file(superevent_id, name, MAX_JSON_BYTES))

    async def file(self, superevent_id: str, name: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
        """A file's content, of `most` bytes at most. Raises GraceDbError."""
        if _FILE_NAME.fullmatch(name) is None:
            raise Unreadable("GraceDB names a file as none is called.")
        path = f"superevents/{_path_segment(superevent_id)}/files/{quote(name, safe=',')}"
        return await self._get(path, f"{superevent_id}'s {name}", max_bytes)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _get_json(self, path: str, what: str, params: Mapping[str, Any] | None = None) -> Any:
        return _parse_json(await self._get(path, what, MAX_JSON_BYTES, params))

    async def _get(self, path: str, what: str, most: int, params: Mapping[str, Any] | None = None) -> bytes:
        await self._wait_for_turn()
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await self._fetch(path, what, most, params)
        except (httpx.TimeoutException, TimeoutError):
            raise Busy("GraceDB didn't answer in time.") from None
        except httpx.ConnectError:
            raise Busy("GraceDB can't be reached.") from None
        except httpx.TransportError as error:
            raise Busy(f"GraceDB broke off its answer ({type(error).__name__}).") from None
        except (httpx.DecodingError, httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Unreadable("GraceDB's answer can't be read.") from None

    async def _fetch(self, path: str, what: str, most: int, params: Mapping[str, Any] | None) -> bytes:
        url = urljoin(self._base_url, path)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._http_client().stream("GET", url, params=params) as response:
                if response.has_redirect_location:
                    # The address says what was asked for.
                    url, params = self._resolve_redirect(url, response.headers["Location"]), None
                    continue
                self._raise_for_status(response, what)
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > most:
                        raise Unreadable(f"GraceDB's answer has more than {most // 2**20} MB.")
                return bytes(body)
        raise Unreadable("GraceDB sends us from one address to the next, without an end.")

    def _resolve_redirect(self, url: str, location: str) -> str:
        """Where GraceDB sends us: to another place of its own. Raises Unreadable.

        What an answer names is anybody's word: elsewhere, in our own network too, nothing is asked.
        """
        try:
            base, further = urlsplit(self._base_url), urlsplit(urljoin(url, location))
            own, there = (
                (url.scheme, url.hostname, url.port or _DEFAULT_PORTS.get(url.scheme))
                for url in (base, further)
            )
        except ValueError:
            raise Unreadable("GraceDB sends us to an address that is none.") from None
        # From http, where that is what was set, the way to https is open.
        safer = ("https", base.hostname, 443)
        if there not in (own, safer) or further.username is not None or further.password is not None:
            raise Unreadable("GraceDB sends us to an address that isn't its own, and nothing is asked there.")
        return further.geturl()

    def _http_client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers={"User-Agent": USER_AGENT},
                timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            )
        return self._client

    def _raise_for_status(self, response: httpx.Response, what: str) -> None:
        """Raise GraceDbError unless it is an answer."""
        status = response.status_code
        if status == httpx.codes.OK:
            return
        wait = _parse_retry_after(response.headers.get("Retry-After"))
        if status == httpx.codes.TOO_MANY_REQUESTS or (
            status == httpx.codes.SERVICE_UNAVAILABLE and wait is not None
        ):
            wait = DEFAULT_RETRY_AFTER_S if wait is None else wait
            self._retry_not_before = time.monotonic() + wait
            raise _rate_limited(wait)
        if status == httpx.codes.SERVICE_UNAVAILABLE:
            raise Busy("GraceDB is down for maintenance.")
        if status in (httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN, httpx.codes.UNAUTHORIZED):
            raise NotPublic(what)
        if response.is_server_error:
            raise Busy(f"GraceDB has trouble of its own (HTTP {status}).")
        raise Unreadable(f"GraceDB didn't understand the request (HTTP {status}).")

    async def _wait_for_turn(self) -> None:
        async with self._request_lock:
            left = self._retry_not_before - time.monotonic()
            if left > 0:
                raise _rate_limited(left)
            if self._pace_s:
                await asyncio.sleep(max(0.0, self._next_at - time.monotonic()))
                self._next_at = time.monotonic() + self._pace_s


def _path_segment(superevent_id: str) -> str:
    """An id as one piece of a path, whatever it is made of."""
    quoted = quote(superevent_id, safe="")
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


def _rate_limited(seconds: float) -> Busy:
    return Busy(f"GraceDB asks us to wait {math.ceil(seconds)} s.", seconds)


def _parse_retry_after(given: str | None) -> float | None:
    """Seconds to wait, in either form of RFC 9110, 10.2.3; None where nothing usable is said."""
    if given is None:
        return None
    try:
        if given.strip().isdecimal():
            seconds = float(given)
        else:
            at = parsedate_to_datetime(given)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            seconds = (at - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 1.0), MAX_RETRY_AFTER_S)


def _parse_json(body: bytes) -> Any:
    try:
        answer = json.loads(body)
    except RecursionError:
        raise _too_deeply_nested() from None
    except ValueError:
        raise Unreadable("GraceDB's answer isn't JSON.") from None
    if is_nested_deeper_than(MAX_NESTING, answer):
        raise _too_deeply_nested()
    return answer


def _too_deeply_nested() -> Unreadable:
    return Unreadable("GraceDB's answer is nested more deeply than any of its own.")
