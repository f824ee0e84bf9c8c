"""`gwevent doctor --live` in Slack: do in a real channel, once, everything that the bot ever does there.

The calls go through the bot's own client, so that what Slack refuses is found where the bot would meet it.
Everything that was posted is deleted at the end, also after a failure. Slack's answers are recorded, their
secrets cut out, so that a surprise can be put into an issue and into the local Slack.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
import numpy as np

from bot.alerts.decode import decode
from bot.doctor.live_report import LiveReport, without_secrets
from bot.doctor.sample_post import sample_notice
from bot.doctor.slack_remedies import REPORT_IT, remedy
from bot.samples import to_avro
from bot.settings import Settings
from bot.slack.client import Identity, SlackClient
from bot.slack.errors import (
    FileNotReady,
    OutcomeUnknown,
    RateLimited,
    SlackFailure,
)
from bot.slack.message_metadata import DeliveryMetadata
from bot.slack.message_parts import DroppedPart
from bot.slack.scopes import REQUIRED_SCOPES
from bot.slack.web_api import Answer, WebApi
from formatters.answers import event_details, event_history
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.skymap_image import png
from formatters.terminal.findings import Level

POST_INTERVAL_S = 1.1
"""Slack accepts about one message a second in a channel."""
FILE_WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0)
MAX_CLOCK_OFFSET_S = 30.0
MAX_RATE_LIMIT_S = 60.0
"""The longest Retry-After that a step waits for, once."""
MAX_PEOPLE_TRIED = 5
NOTE = "gwevent doctor --live is trying out this channel. It deletes all that it posts here within a minute."


class _UnexpectedAnswer(Exception):
    """Slack took a call, but not as expected."""

    def __init__(self, reason: str, advice: str = REPORT_IT) -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


class _RecordingWebApi(WebApi):
    """A Web API whose answers are kept."""

    report: LiveReport

    async def call(self, method: str, arguments: Mapping[str, Any]) -> Answer:
        """Call once, and record the answer or the refusal."""
        self.report.record(method, "no readable answer")
        entry = self.report.answers[-1]
        answer = await super().call(method, arguments)
        entry["answer"] = without_secrets(answer.data)
        return answer


async def try_slack(settings: Settings, channel: str, report: LiveReport) -> None:
    """Try everything in a channel (by id), and delete it again. Problems found don't raise."""
    if settings.slack_bot_token is None:
        report.add("Slack", Level.FAIL, "SLACK_BOT_TOKEN isn't set.", "Set it, then try again.")
        return
    token = settings.slack_bot_token.get_secret_value()
    async with aiohttp.ClientSession() as session:
        client = SlackClient(token, settings.slack_api_url, session)
        client.api = api = _RecordingWebApi(client.web, session)
        api.report = report
        run = _LiveRun(client, channel, report)
        try:
            if await run.try_step("token", run.identify):
                await run.try_everything()
        finally:
            await run.clean_up()


class _LiveRun:
    """One run in one channel."""

    def __init__(self, client: SlackClient, channel: str, report: LiveReport) -> None:
        self._client = client
        self._channel = channel
        self._report = report
        self._posted: list[str] = []
        self._doubtful: list[DeliveryMetadata] = []
        """Posts whose answer was lost: they may stand."""
        self._files: list[str] = []
        self._identity: Identity | None = None
        self._root = ""
        notice = decode(to_avro(sample_notice(datetime.now(UTC))))
        self._superevent = Superevent.from_notices([notice])

    async def try_step(self, name: str, step: Callable[[], Awaitable[str]], *, without: str = "") -> bool:
        """Run a step and report it; return whether it worked.

        `without` says what the bot does without it, if it can do without.
        """
        level = Level.WARN if without else Level.FAIL
        try:
            try:
                result = await step()
            except RateLimited as limited:
                if limited.retry_after > MAX_RATE_LIMIT_S:
                    raise
                await asyncio.sleep(limited.retry_after)
                result = await step()
        except _UnexpectedAnswer as surprise:
            self._report.add(name, level, f"{surprise.reason}.", f"{without} {surprise.advice}".strip())
        except SlackFailure as failure:
            method, answer = self._report.last_answer()
            found = f"Slack's answer to {method}: {_describe_reason(failure)}."
            advice = remedy(failure, method, answer)
            self._report.add(name, level, found, f"{without} {advice}".strip())
        else:
            self._report.add(name, Level.OK, result)
            return True
        return False

    async def try_everything(self) -> None:
        """Try each kind of call that the bot makes, in an order that leaves the channel readable."""
        if not await self.try_step("post", self.post_root):
            return
        can_edit = await self.try_step("edit", self.edit_root)
        await self.try_step("reply", lambda: self.post_reply(self._text("A reply.")))
        card = alert_card.alert_card(self._superevent, alert_card.ChannelView(is_root=True))
        await self.try_step("card", lambda: self.post_reply(card))
        await self.try_step(
            "table", lambda: self.post_reply(event_history.message(self._superevent, datetime.now(UTC)))
        )
        await self.try_step("code", lambda: self.post_reply(event_details.json_record(self._superevent)))
        await self.try_step(
            "broadcast",
            lambda: self.post_reply(self._text("A reply for the channel too."), broadcast=True),
            without="Replies stand in the thread alone.",
        )
        await self.try_step(
            "metadata",
            partial(self.find_metadata, can_edit),
            without="Without it a post whose answer is lost may come twice.",
        )
        await self.try_step("permalink", self.permalink, without="Answers come without links to messages.")
        people: list[str] = []
        if await self.try_step(
            "people", partial(self.find_people, people), without="No message for one person could be tried."
        ):
            await self.try_step(
                "only you see it",
                partial(self.post_ephemeral, people),
                without="Answers to @gwevent and buttons don't come.",
            )
        if can_edit:
            await self.try_step("picture", self.show_picture, without="Alerts come without their picture.")

    async def identify(self) -> str:
        identity = self._identity = await self._client.identify()
        works = f"works in {identity.team_name or identity.team_id}"
        if not identity.scopes:
            found = "Slack doesn't tell which scopes the token has; the steps below show what it may do."
            self._report.add("scopes", Level.WARN, found)
            return f"{works}."
        missing = sorted(REQUIRED_SCOPES - identity.scopes)
        granted = ", ".join(sorted(identity.scopes))
        if missing:
            found = f"{', '.join(missing)} missing; granted: {granted}."
            todo = "Compare the app's manifest with deploy/slack-manifest.yaml, then install it again."
            self._report.add("scopes", Level.FAIL, found, todo)
        else:
            self._report.add("scopes", Level.OK, f"all that is needed is granted: {granted}.")
        return f"{works}."

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
        words = f"{NOTE} (edited)"
        await self._edit(self._root, self._text(words))
        _, answer = self._report.last_answer()
        if answer.get("text", words) != words:
            raise _UnexpectedAnswer("Slack took the edit, and shows other words")
        return "it was edited."

    async def post_reply(self, message: Message, *, broadcast: bool = False) -> str:
        await self._post(message, broadcast=broadcast)
        kinds = ", ".join(sorted({str(block["type"]) for block in message.blocks}))
        posted = self._message_in_answer()
        if "thread_ts" in posted and posted["thread_ts"] != self._root:
            raise _UnexpectedAnswer("Slack took it, and put it into another thread")
        unsure = [] if "thread_ts" in posted else ["in the thread"]
        if broadcast and posted.get("subtype") != "thread_broadcast":
            unsure.append("in the channel too")
        doubt = f"; the answer doesn't tell whether it stands {' and '.join(unsure)}" if unsure else ""
        return f"accepted ({kinds}){doubt}."

    async def find_metadata(self, can_edit: bool) -> str:
        metadata = DeliveryMetadata(delivery_id=0, key=secrets.token_hex(16))
        ts = await self._post(self._text("A reply with metadata."), metadata=metadata)
        # An edit without metadata keeps them, on which a second edit relies.
        if can_edit:
            await self._edit(ts, self._text("A reply with metadata, edited."))
        found = await self._client.find_delivery(self._channel, metadata, None, thread_ts=self._root)
        if found != ts:
            raise _UnexpectedAnswer("The thread's messages come without the metadata that one has")
        return f"a reply was found again by its metadata{', after an edit' if can_edit else ''}."

    async def permalink(self) -> str:
        if await self._client.permalink(self._channel, self._root) is None:
            raise _UnexpectedAnswer("Slack gave no link to a message")
        return "Slack gives links to messages."

    async def find_people(self, people: list[str]) -> str:
        assert self._identity is not None
        there = await self._client.some_members(self._channel, 20)
        people += [user for user in there if user != self._identity.user_id]
        if not people:
            raise _UnexpectedAnswer("Nobody but the bot is in the channel", "Join it, then try again.")
        return f"{_count(len(people), 'other member')} found in the channel."

    async def post_ephemeral(self, people: list[str]) -> str:
        refused: SlackFailure | None = None
        for person in people[:MAX_PEOPLE_TRIED]:
            try:
                await self._client.post_ephemeral(
                    self._channel, person, self._text("Only you see this test.")
                )
            except SlackFailure as failure:
                # Apps are members too, and can't be shown anything.
                refused = failure
            else:
                return "a message that one person sees was accepted; it can't be deleted."
        assert refused is not None
        raise refused

    async def show_picture(self) -> str:
        image = png.encode_indices(np.zeros((64, 128), np.uint8), b"\xc8\xc8\xc8", 96)
        file_id = await self._client.upload(image, "gwevent-doctor.png", "A test", "A grey rectangle")
        self._files.append(file_id)
        shown = blocks.message(NOTE, blocks.section(NOTE), blocks.image("A grey rectangle", file_id=file_id))
        for attempt, wait_s in enumerate((*FILE_WAITS_S, 0.0), 1):
            try:
                await self._edit(self._root, shown)
            except FileNotReady:
                await asyncio.sleep(wait_s)
                continue
            seen = self._message_in_answer().get("blocks")
            if not isinstance(seen, list):
                return (
                    f"an edit with a picture was accepted at attempt {attempt}; the answer doesn't show it."
                )
            if not any(isinstance(block, dict) and block.get("type") == "image" for block in seen):
                raise _UnexpectedAnswer("Slack took the edit, and the message has no picture")
            return f"an uploaded picture is shown by an edit, at attempt {attempt}."
        waited = sum(FILE_WAITS_S)
        raise _UnexpectedAnswer(f"Slack couldn't show an uploaded picture within {waited:.0f} s")

    async def clean_up(self) -> None:
        """Delete what was made, and report what couldn't be."""
        lost = 0
        for metadata in self._doubtful:
            found = await self._look_for(metadata)
            if found is None:
                lost += 1
            else:
                self._posted.append(found)
        left = 0
        for ts in reversed(self._posted):
            left += not await self._deletes(partial(self._client.delete, self._channel, ts))
        for file_id in self._files:
            left += not await self._deletes(partial(self._client.delete_file, file_id))
        if lost:
            found = f"{_count(lost, 'post')} got no answer, and may stand in the channel."
            self._report.add("lost answers", Level.WARN, found, "Look there, and delete what is left.")
        if self._posted or self._files:
            made = f"{_count(len(self._posted), 'message')} and {_count(len(self._files), 'file')}"
            if left:
                self._report.add(
                    "clean-up",
                    Level.FAIL,
                    f"Of {made}, {left} couldn't be deleted.",
                    "Delete what is left by hand.",
                )
            else:
                self._report.add("clean-up", Level.OK, f"{made} deleted again.")

    async def _look_for(self, metadata: DeliveryMetadata) -> str | None:
        try:
            return await self._client.find_delivery(
                self._channel, metadata, None, thread_ts=self._root or None
            )
        except SlackFailure:
            return None

    async def _deletes(self, delete: Callable[[], Awaitable[None]]) -> bool:
        try:
            try:
                await delete()
            except RateLimited as limited:
                await asyncio.sleep(min(limited.retry_after, MAX_RATE_LIMIT_S))
                await delete()
        except SlackFailure as failure:
            # Somebody was quicker.
            return failure.reason == "message_not_found"
        return True

    async def _post(
        self, message: Message, *, broadcast: bool = False, metadata: DeliveryMetadata | None = None
    ) -> str:
        if self._posted:
            await asyncio.sleep(POST_INTERVAL_S)
        sent = metadata or DeliveryMetadata(delivery_id=0, key=secrets.token_hex(16))
        try:
            posted = await self._client.post(
                self._channel, message, sent, thread_ts=self._root or None, broadcast=broadcast
            )
        except OutcomeUnknown:
            self._doubtful.append(sent)
            raise
        self._posted.append(posted.ts)
        _require_whole(posted.dropped)
        return posted.ts

    async def _edit(self, ts: str, message: Message) -> None:
        _require_whole(await self._client.edit(self._channel, ts, message))

    def _message_in_answer(self) -> Mapping[str, Any]:
        """Return the message that the last answer shows; empty if it shows none."""
        message = self._report.last_answer()[1].get("message")
        return message if isinstance(message, dict) else {}

    def _text(self, text: str) -> Message:
        return blocks.message(text, blocks.section(text))


def _require_whole(dropped: Sequence[DroppedPart]) -> None:
    """Raise _UnexpectedAnswer if Slack refused a part of a message, which the bot then does without."""
    if dropped:
        named = ", ".join(f"{drop.part.value} ({drop.reason})" for drop in dropped)
        raise _UnexpectedAnswer(f"Slack took the words, and refused: {named}")


def _describe_reason(failure: SlackFailure) -> str:
    details = f" ({'; '.join(failure.details)})" if failure.details else ""
    unknown = ", and not what Slack's API answers" if failure.reason.startswith("HTTP ") else ""
    return f"{failure.reason}{details}{unknown}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
