"""`gwevent doctor --live`: do in a real channel, once, everything that the bot ever does there, and undo it.

The calls go through the bot's own client, so that what Slack refuses is found where the bot would meet it.
Everything that was posted is deleted at the end, also after a failure. Slack's answers are recorded, their
secrets cut out, so that a surprise can be put into an issue and into the local Slack.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import numpy as np
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.alerts.decode import decode
from bot.doctor.sample_post import sample_notice
from bot.logs import redact
from bot.runtime.http_proxy import proxy_for
from bot.samples import to_avro
from bot.settings import Settings
from bot.slack.client import Identity, SlackClient
from bot.slack.errors import FileNotReady, SlackFailure
from bot.slack.message_metadata import DeliveryMetadata
from bot.slack.scopes import REQUIRED_SCOPES
from formatters.answers import event_details, event_history
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.skymap_image import png
from formatters.terminal.findings import Finding, Level

POST_INTERVAL_S = 1.1
"""Slack accepts about one message a second in a channel."""
FILE_WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0)
MAX_CLOCK_OFFSET_S = 30.0
NOTE = (
    "gwevent doctor --live is trying out this channel. It deletes everything it posts here within a minute."
)
_SECRET_KEYS = re.compile(r"token|secret|url_private|upload_url|response_url|email|phone", re.IGNORECASE)


@dataclass
class LiveReport:
    """The findings of a live run, and Slack's answers without secrets."""

    findings: list[Finding] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, level: Level, result: str, advice: str = "") -> None:
        """Add a finding; its text holds no secret."""
        self.findings.append(Finding(f"Live {name}", level, redact(result), advice))


class _UnexpectedAnswer(Exception):
    """Slack took a call, but not as expected."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _RecordingWebClient(AsyncWebClient):
    """A Web API client that keeps the answers."""

    answers: list[dict[str, Any]]

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """Call once, and record the answer or the refusal."""
        try:
            response: AsyncSlackResponse = await super().api_call(api_method, **arguments)
        except SlackApiError as refused:
            self._record(api_method, getattr(refused.response, "data", None))
            raise
        self._record(api_method, response.data)
        return response

    def _record(self, method: str, data: object) -> None:
        self.answers.append({"method": method, "answer": without_secrets(data)})


def without_secrets(value: object, key: str = "") -> Any:
    """Return a copy of a JSON value in which secrets are replaced, whatever its shape."""
    match value:
        case dict():
            return {str(name): without_secrets(one, str(name)) for name, one in value.items()}
        case list() | tuple():
            return [without_secrets(one, key) for one in value]
        case str():
            return "(redacted)" if _SECRET_KEYS.search(key) else redact(value)
        case None | bool() | int() | float():
            return value
        case _:
            return f"({type(value).__name__})"


async def run_live_checks(settings: Settings, channel: str) -> LiveReport:
    """Try everything in a channel (by id), and delete it again. Problems found don't raise."""
    report = LiveReport()
    if settings.slack_bot_token is None:
        report.add("Slack", Level.FAIL, "SLACK_BOT_TOKEN isn't set.", "Set it, then try again.")
        return report
    token = settings.slack_bot_token.get_secret_value()
    async with aiohttp.ClientSession() as session:
        client = SlackClient(token, settings.slack_api_url, session)
        web = _RecordingWebClient(
            token=token, base_url=settings.slack_api_url, session=session, retry_handlers=[]
        )
        web.proxy, web.answers = proxy_for(settings.slack_api_url), report.answers
        client.web = web
        run = _LiveRun(client, channel, report)
        try:
            if await run.try_step("token", run.identify):
                await run.try_everything()
        finally:
            await run.clean_up()
    return report


class _LiveRun:
    """One run in one channel."""

    def __init__(self, client: SlackClient, channel: str, report: LiveReport) -> None:
        self._client = client
        self._channel = channel
        self._report = report
        self._posted: list[str] = []
        self._files: list[str] = []
        self._identity: Identity | None = None
        self._root = ""
        self._last_post = ""
        notice = decode(to_avro(sample_notice(datetime.now(UTC))))
        self._superevent = Superevent.from_notices([notice])

    async def try_step(self, name: str, step: Callable[[], Awaitable[str]], *, optional: str = "") -> bool:
        """Run a step and report it; return whether it worked.

        `optional` says what the bot does without it, if it can do without.
        """
        try:
            self._report.add(name, Level.OK, await step())
        except (
            _UnexpectedAnswer,
            SlackFailure,
            SlackClientError,
            aiohttp.ClientError,
            TimeoutError,
        ) as problem:
            reason = getattr(problem, "reason", None) or type(problem).__name__
            level = Level.WARN if optional else Level.FAIL
            self._report.add(name, level, f"Slack's answer: {reason}.", optional)
            return False
        return True

    async def try_everything(self) -> None:
        """Try each kind of call that the bot makes, in an order that leaves the channel readable."""
        if not await self.try_step("post", self.post_root):
            return
        await self.try_step("edit", self.edit_root)
        card = alert_card.alert_card(self._superevent, alert_card.ChannelView(is_root=True))
        await self.try_step("card", lambda: self.post_reply(card))
        await self.try_step(
            "table", lambda: self.post_reply(event_history.message(self._superevent, datetime.now(UTC)))
        )
        await self.try_step("code", lambda: self.post_reply(event_details.json_record(self._superevent)))
        await self.try_step("broadcast", lambda: self.post_reply(self._text("A reply."), broadcast=True))
        without = "Without it a post whose answer is lost may come twice; grant channels:history."
        await self.try_step("metadata", self.find_metadata, optional=without)
        await self.try_step("permalink", self.permalink)
        without = "Answers to commands use it; the bot must be in the channel with the person."
        await self.try_step("only you see it", self.post_ephemeral, optional=without)
        without = "Alerts come without their picture; grant files:write, or set GWEVENT_PUBLIC_URL."
        await self.try_step("picture", self.show_picture, optional=without)

    async def identify(self) -> str:
        identity = self._identity = await self._client.identify()
        missing = sorted(REQUIRED_SCOPES - identity.scopes)
        if missing:
            found = f"{', '.join(missing)} missing."
            todo = "Compare the app's manifest with deploy/slack-manifest.yaml, then install it again."
            self._report.add("scopes", Level.FAIL, found, todo)
        granted = ", ".join(sorted(identity.scopes)) or "not told"
        return f"works in {identity.team_name}; scopes granted: {granted}."

    async def post_root(self) -> str:
        self._root = await self._post(self._text(NOTE))
        offset = datetime.now(UTC).timestamp() - float(self._root)
        if abs(offset) > MAX_CLOCK_OFFSET_S:
            found = f"This machine is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} Slack."
            self._report.add("clock", Level.FAIL, found, "Set the clock: timedatectl set-ntp true.")
        else:
            self._report.add("clock", Level.OK, f"Slack's and this machine's differ by {abs(offset):.1f} s.")
        return "a message stands in the channel."

    async def edit_root(self) -> str:
        dropped = await self._client.edit(self._channel, self._root, self._text(f"{NOTE} (edited)"))
        return _describe("it was edited", [drop.part.value for drop in dropped])

    async def post_reply(self, message: Message, *, broadcast: bool = False) -> str:
        await self._post(message, broadcast=broadcast)
        return self._last_post

    async def find_metadata(self) -> str:
        metadata = DeliveryMetadata(delivery_id=0, key=secrets.token_hex(16))
        ts = await self._post(self._text("A reply with metadata."), metadata=metadata)
        found = await self._client.find_delivery(self._channel, metadata, None, thread_ts=self._root)
        if found != ts:
            raise _UnexpectedAnswer("the history doesn't show it")
        return "a reply was found again by its metadata."

    async def permalink(self) -> str:
        if await self._client.permalink(self._channel, self._root) is None:
            raise _UnexpectedAnswer("no permalink")
        return "Slack gives links to messages."

    async def post_ephemeral(self) -> str:
        assert self._identity is not None
        answer = await self._client.web.api_call(
            "conversations.members", params={"channel": self._channel, "limit": 20}
        )
        people = [user for user in answer.get("members") or [] if user != self._identity.user_id]
        if not people:
            raise _UnexpectedAnswer("no person in the channel")
        await self._client.post_ephemeral(self._channel, people[0], self._text("Only you see this test."))
        return "a message that one person sees was accepted; it can't be deleted."

    async def show_picture(self) -> str:
        image = png.encode(np.full((64, 128, 4), 200, np.uint8), 96)
        file_id = await self._client.upload(image, "gwevent-doctor.png", "A test", "A grey rectangle")
        self._files.append(file_id)
        shown = blocks.message(NOTE, blocks.section(NOTE), blocks.image("A grey rectangle", file_id=file_id))
        for attempt, wait_s in enumerate((*FILE_WAITS_S, 0.0), 1):
            try:
                dropped = await self._client.edit(self._channel, self._root, shown)
            except FileNotReady:
                await asyncio.sleep(wait_s)
            else:
                parts = [drop.part.value for drop in dropped]
                if parts:
                    raise _UnexpectedAnswer("the picture was refused")
                return f"an uploaded picture is shown by an edit, at attempt {attempt}."
        raise TimeoutError

    async def clean_up(self) -> None:
        """Delete what was made, and report what couldn't be."""
        left = 0
        for ts in reversed(self._posted):
            left += not await self._deletes("chat.delete", {"channel": self._channel, "ts": ts})
        for file_id in self._files:
            left += not await self._deletes("files.delete", {"file": file_id})
        if self._posted or self._files:
            made = f"{len(self._posted)} messages and {len(self._files)} files"
            if left:
                self._report.add(
                    "clean-up", Level.FAIL, f"{left} of {made} are left.", "Delete them by hand."
                )
            else:
                self._report.add("clean-up", Level.OK, f"{made} were deleted again.")

    async def _deletes(self, method: str, body: dict[str, str]) -> bool:
        try:
            await self._client.web.api_call(method, json=body)
        except (SlackClientError, aiohttp.ClientError, TimeoutError):
            return False
        return True

    async def _post(
        self, message: Message, *, broadcast: bool = False, metadata: DeliveryMetadata | None = None
    ) -> str:
        if self._posted:
            await asyncio.sleep(POST_INTERVAL_S)
        posted = await self._client.post(
            self._channel,
            message,
            metadata or DeliveryMetadata(delivery_id=0, key=secrets.token_hex(16)),
            thread_ts=self._root or None,
            broadcast=broadcast,
        )
        self._posted.append(posted.ts)
        kinds = sorted({str(block["type"]) for block in message.blocks})
        self._last_post = _describe(
            f"accepted ({', '.join(kinds)})", [drop.part.value for drop in posted.dropped]
        )
        if posted.dropped:
            raise _UnexpectedAnswer("refused: " + ", ".join(drop.part.value for drop in posted.dropped))
        return posted.ts

    def _text(self, text: str) -> Message:
        return blocks.message(text, blocks.section(text))


def _describe(what: str, dropped: list[str]) -> str:
    return f"{what}." if not dropped else f"{what}, without {', '.join(dropped)}."


def to_json_lines(report: LiveReport) -> str:
    """Return Slack's answers as JSON, one a line."""
    return "".join(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in report.answers)
