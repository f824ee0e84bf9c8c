"""Create slack_sdk's clients: without silent retries, on one session, and with the right proxy."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import structlog
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_bolt.context.respond.internals import _build_message
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from bot.runtime.http_proxy import proxy_for
from formatters.blockkit.message import Message
from formatters.terminal.message_text import fallback_text

OK = 200
_REFUSALS = range(400, 500)
_NOT_OF_THE_CONTENT = frozenset({404, 407, 408, 410, 429})
"""Refusals that no other content would change: the address's end, a proxy's, a time limit, a rate limit."""
MAX_REASON = 100
"""Characters of a body that are logged: it may be any server's page."""

log = structlog.get_logger(__name__)


def create_web_client(token: str | None, api_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Return a Web API client that makes each call once."""
    client = AsyncWebClient(token=token, base_url=api_url, session=session, retry_handlers=[])
    # Set afterwards: given None as an argument, slack_sdk uses HTTPS_PROXY for every address.
    client.proxy = proxy_for(api_url)
    return client


class ProxiedRespond(AsyncRespond):
    """Bolt's `respond`, through the proxy of the response URL, and without blocks if Slack refuses them."""

    async def __call__(self, text: Any = "", *args: Any, **message: Any) -> WebhookResponse:
        """Send an answer; the arguments are those of Bolt's AsyncRespond."""
        if self.response_url is None:
            raise ValueError("There is no response URL to answer at.")
        client = AsyncWebhookClient(self.response_url, ssl=self.ssl)
        client.proxy = proxy_for(self.response_url)
        body = _build_message(text, *args, **message)
        answer = await client.send_dict(body)
        if may_refuse_content(answer.status_code) and body.get("blocks"):
            log.warning("message_part_dropped", method="respond", part="blocks", reason=_reason(answer))
            whole = Message(str(body.get("text") or ""), tuple(body["blocks"]))
            bare = {name: value for name, value in body.items() if name != "blocks"}
            answer = await client.send_dict({**bare, "text": fallback_text(whole)})
        if answer.status_code != OK:
            log.warning("answer_not_shown", reason=_reason(answer), status=answer.status_code)
        return answer


def may_refuse_content(status: int) -> bool:
    """Return whether an HTTP status may mean that Slack refuses what an answer holds; Slack lists none."""
    return status in _REFUSALS and status not in _NOT_OF_THE_CONTENT


def _reason(answer: WebhookResponse) -> str:
    """Return Slack's error code: the body itself, or the field "error" of it."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = answer.body
    reason = body.get("error") if isinstance(body, dict) else body
    return str(reason)[:MAX_REASON]
