"""slack_sdk's clients, made in one way: no silent repeats, one session, and the proxy that is meant."""

from __future__ import annotations

from typing import Any

import aiohttp
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_bolt.context.respond.internals import _build_message
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from bot.runtime.http_proxy import proxy_for


def create_web_client(token: str | None, api_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """A client of the Web API that does each call once."""
    client = AsyncWebClient(token=token, base_url=api_url, session=session, retry_handlers=[])
    # Not as an argument: without one slack_sdk takes HTTPS_PROXY, whatever the address.
    client.proxy = proxy_for(api_url)
    return client


class ProxiedRespond(AsyncRespond):
    """Answers at a response URL, through the proxy that is meant for it."""

    async def __call__(self, text: Any = "", *args: Any, **message: Any) -> WebhookResponse:
        """Send an answer; the arguments are Bolt's."""
        if self.response_url is None:
            raise ValueError("There is no response URL to answer at.")
        client = AsyncWebhookClient(self.response_url, ssl=self.ssl)
        client.proxy = proxy_for(self.response_url)
        return await client.send_dict(_build_message(text, *args, **message))
