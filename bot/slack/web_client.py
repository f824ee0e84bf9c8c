"""Create slack_sdk's clients: without silent retries, on one session, and with the right proxy."""

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
    """Return a Web API client that makes each call once."""
    client = AsyncWebClient(token=token, base_url=api_url, session=session, retry_handlers=[])
    # Set afterwards: given None as an argument, slack_sdk uses HTTPS_PROXY for every address.
    client.proxy = proxy_for(api_url)
    return client


class ProxiedRespond(AsyncRespond):
    """Bolt's `respond`, through the proxy of the response URL."""

    async def __call__(self, text: Any = "", *args: Any, **message: Any) -> WebhookResponse:
        """Send an answer; the arguments are those of Bolt's AsyncRespond."""
        if self.response_url is None:
            raise ValueError("There is no response URL to answer at.")
        client = AsyncWebhookClient(self.response_url, ssl=self.ssl)
        client.proxy = proxy_for(self.response_url)
        return await client.send_dict(_build_message(text, *args, **message))
