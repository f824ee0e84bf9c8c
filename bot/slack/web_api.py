"""Make a call of Slack's Web API: one request, and its answer as it came, whatever it says.

slack_sdk's client could make the calls too, but takes longer for one than aiohttp itself, and it reads "ok"
from an answer before it checks that it is an object. Where one alert goes to a thousand channels, its share
is a quarter of the time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.runtime.http_proxy import proxy_for

JSON_METHODS = frozenset(
    {
        "chat.postEphemeral",
        "chat.postMessage",
        "chat.update",
        "views.open",
        "views.publish",
        "views.update",
    }
)
"""Methods whose arguments go as JSON: those that slack_sdk sends so, because blocks and views are large.

All others go as a form. Slack reads a form for every method and JSON only for some: of the JSON for another
it sees nothing, and answers as if the arguments had been left out. Its reference names methods as taking
JSON that have been seen not to (`files.getUploadURLExternal`, `conversations.replies`, `users.info`).
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Case doesn't matter in their names."""
    data: object
    """The JSON value in its body; None if there is none."""


class WebApi:
    """The Web API with one token."""

    def __init__(self, client: AsyncWebClient, session: aiohttp.ClientSession) -> None:
        """Call with the address, token and user agent of slack_sdk's `client`."""
        self._session = session
        self._base_url = client.base_url
        self._proxy = proxy_for(client.base_url)
        headers = {**client.headers, "Authorization": f"Bearer {client.token}"}
        self._json_headers = {**headers, "Content-Type": "application/json;charset=utf-8"}
        self._form_headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}

    async def call(self, method: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a method once, without the arguments that are None.

        A redirect is not followed: it would take the words of a message to whatever server it names. Raises
        aiohttp.ClientError, UnicodeError for a form's text that is none, and TimeoutError after the session's
        own time limits.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        if method in JSON_METHODS:
            headers, body = self._json_headers, json.dumps(given).encode()
        else:
            headers, body = self._form_headers, urlencode(form_values(given)).encode()
        url = self._base_url + method
        async with self._session.post(
            url, data=body, headers=headers, proxy=self._proxy, allow_redirects=False
        ) as response:
            answer = await response.read()
        return Answer(response.status, response.headers, _parse_json(answer))


def form_values(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return arguments as a form's texts, without those that are None.

    True and false are 1 and 0, as slack_sdk sends them; a list or an object is its JSON. They go into the
    body, which every implementation of Slack's API reads; some read nothing else.
    """
    return {name: _form_value(value) for name, value in arguments.items() if value is not None}


def _form_value(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, dict | list | tuple):
        return json.dumps(value)
    return str(value)


def _parse_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
