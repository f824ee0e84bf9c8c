"""HTTP client for the Treasure Map (https://treasuremap.space), version 1 of its API. It only reads.

Answers are bounded in size and time, and each error is one sentence. The API is that of TheTreasureMap/gwtm
on GitHub (`server/`, read in November 2026): the token goes in the header `api_token`; a request that it
doesn't understand gets 400 with the reasons as JSON, a token that it doesn't know 401.
"""

from __future__ import annotations

import json
import math
import time
from asyncio import timeout, to_thread
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import httpx

from bot import __version__
from bot.alerts.payload import is_nested_deeper_than
from bot.runtime.http_answers import RefusedRedirect, parse_retry_after, resolve_redirect

USER_AGENT = f"gwevent/{__version__}"
MAX_JSON_BYTES = 5_000_000
"""Limit of one answer: about 14,000 pointings."""
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
"""Between two chunks of an answer."""
REQUEST_TIMEOUT_S = 120.0
"""For an answer as a whole."""
MAX_REDIRECTS = 3
MAX_NESTING = 20
"""Levels of a JSON answer; a list of pointings has two."""
DEFAULT_RETRY_AFTER_S = 60.0
"""After an answer 429 that doesn't say for how long."""


class TreasureMapError(Exception):
    """The Treasure Map gave no usable answer; the text is one sentence for people."""


class TreasureMapBusy(TreasureMapError):
    """It limits the rate, is down or cannot be reached; the same request may succeed later."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds to wait, from the Retry-After header; None if there was none."""


class TokenRefused(TreasureMapError):
    """It doesn't know the token (HTTP 401 or 403): only the operator can help."""


class UnreadableAnswer(TreasureMapError):
    """The answer is not what the API promises."""


class AnswerTooLarge(TreasureMapError):
    """The answer has more than MAX_JSON_BYTES bytes; a narrower request may have fewer."""

    def __init__(self) -> None:
        super().__init__(f"The Treasure Map's answer has more than {MAX_JSON_BYTES / 1e6:g} MB.")


class TreasureMap:
    """A client of one server. After a Retry-After, requests fail at once until that time is over."""

    def __init__(self, base_url: str, token: str) -> None:
        """`base_url` ends with a slash."""
        self._base_url = base_url
        self._token = token
        self._client: httpx.AsyncClient | None = None
        self._retry_not_before = -math.inf

    async def pointings(self, superevent_id: str, **narrower: str) -> Any:
        """Return the JSON of a superevent's pointings. Raises TreasureMapError.

        `narrower` are further conditions of the API: `status`, `completed_after`, `planned_before` …
        """
        return await self._get_json("pointings", {"graceid": superevent_id, **narrower})

    async def instruments(self, **narrower: str) -> Any:
        """Return the JSON of the list of instruments. Raises TreasureMapError."""
        return await self._get_json("instruments", narrower)

    async def footprints(self, instrument_id: int) -> Any:
        """Return the JSON of an instrument's detectors. Raises TreasureMapError."""
        return await self._get_json("footprints", {"id": str(instrument_id)})

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _get_json(self, path: str, params: Mapping[str, str]) -> Any:
        wait = self._retry_not_before - time.monotonic()
        if wait > 0:
            raise _rate_limited(wait)
        try:
            async with timeout(REQUEST_TIMEOUT_S):
                body = await self._fetch(path, params)
        except (httpx.TimeoutException, TimeoutError):
            raise TreasureMapBusy("The Treasure Map didn't answer in time.") from None
        except httpx.ConnectError:
            raise TreasureMapBusy("The Treasure Map can't be reached.") from None
        except httpx.TransportError as error:
            raise TreasureMapBusy(
                f"The Treasure Map broke off its answer ({type(error).__name__})."
            ) from None
        except RefusedRedirect as error:
            raise UnreadableAnswer(f"The Treasure Map {error}") from None
        except (httpx.DecodingError, httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise UnreadableAnswer("The Treasure Map's answer can't be read.") from None
        # In a thread: megabytes of it would keep alerts waiting.
        return await to_thread(parse_json, body)

    async def _fetch(self, path: str, params: Mapping[str, str] | None) -> bytes:
        url = urljoin(self._base_url, path)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._http_client().stream("GET", url, params=params) as response:
                if response.has_redirect_location:
                    # The redirect's URL holds the query.
                    location = response.headers["Location"]
                    url, params = resolve_redirect(self._base_url, url, location), None
                    continue
                self._raise_for_status(response)
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_JSON_BYTES:
                        raise AnswerTooLarge
                return bytes(body)
        raise UnreadableAnswer("The Treasure Map sends us from one address to the next, without an end.")

    def _http_client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers={"User-Agent": USER_AGENT, "api_token": self._token, "Accept": "application/json"},
                timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            )
        return self._client

    def _raise_for_status(self, response: httpx.Response) -> None:
        """Raise TreasureMapError unless the status is 200."""
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
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise TokenRefused(f"The Treasure Map refuses the token (HTTP {status}).")
        if response.is_server_error:
            raise TreasureMapBusy(f"The Treasure Map has trouble of its own (HTTP {status}).")
        raise UnreadableAnswer(f"The Treasure Map didn't understand the request (HTTP {status}).")


def parse_json(body: bytes) -> Any:
    """Return the JSON of an answer. Raises UnreadableAnswer."""
    try:
        answer = json.loads(body)
    except RecursionError:
        raise _too_deeply_nested() from None
    except ValueError:
        raise UnreadableAnswer("The Treasure Map's answer isn't JSON.") from None
    if is_nested_deeper_than(MAX_NESTING, answer):
        raise _too_deeply_nested()
    return answer


def _rate_limited(seconds: float) -> TreasureMapBusy:
    return TreasureMapBusy(f"The Treasure Map asks us to wait {math.ceil(seconds)} s.", seconds)


def _too_deeply_nested() -> UnreadableAnswer:
    return UnreadableAnswer("The Treasure Map's answer is nested more deeply than any of its own.")
