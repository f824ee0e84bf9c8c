"""The environment of a chaos case: broker, local Slack, channels, bot processes, and the final check."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from bot.app.factory import open_factory
from bot.demo.kafka_broker import Publisher
from bot.filters import parse_criteria
from bot.local_slack.server import LocalSlack
from bot.local_slack.workspace import Change
from bot.samples.messages import circular
from tests.chaos import bot_entrypoint
from tests.chaos.bot_entrypoint import BotTuning
from tests.chaos.broker import ControllableBroker
from tests.chaos.message_check import (
    AlertMessage,
    FollowUpMessage,
    Verdict,
    check_follow_ups,
    check_messages,
    is_follow_up,
    is_side_message,
    parse_alert_message,
    parse_follow_up,
)
from tests.chaos.notice_generator import NoticeGenerator
from tests.support.bot_process import GROUP, TOPIC, BotProcess, LocalDeployment, open_deployment
from tests.support.messages import message_text
from tests.support.waiting import wait_until

HISTORY_SCOPES = ("channels:history", "groups:history")
FIRST_CIRCULAR = 45_000
TIMEOUT_S = 300.0
"""Longest wait before a case fails instead of hanging, seconds; not a performance limit."""


class CaseUnsupported(RuntimeError):
    """The case cannot run on this machine; the message gives the reason."""


@dataclass
class ChaosHarness:
    """The environment of one case."""

    deployment: LocalDeployment
    broker: ControllableBroker
    rng: random.Random
    notice_generator: NoticeGenerator
    tuning: BotTuning
    exit_stack: ExitStack
    """Resources that a case opened for itself, closed after the final check."""
    channels: list[str] = field(default_factory=list)
    revived: set[str] = field(default_factory=set)
    """Channels that could not be reached for a while."""
    offsets: dict[int, bytes] = field(default_factory=dict)
    """Published notices, by offset on the broker."""
    circulars: dict[str, list[int]] = field(default_factory=dict)
    """Numbers of the published circulars, by superevent, in the order of publishing."""
    circular_offsets: dict[int, int] = field(default_factory=dict)
    """Numbers of the published circulars, by offset on the broker."""
    kills: int = 0
    in_flight: Counter[int] = field(default_factory=Counter)
    """Number of times a delivery was being sent when the bot was killed, by delivery id."""

    @property
    def local_slack(self) -> LocalSlack:
        """The local Slack."""
        return self.deployment.local_slack

    @property
    def bot(self) -> BotProcess:
        """The bot that was started last."""
        return self.deployment.processes[-1]

    def set_clock(self, wrong_by: int) -> None:
        """Make the bot's clock wrong by so many seconds, from now on."""
        write_clock(Path(self.tuning.clock), wrong_by)

    def grant_history(self) -> None:
        """Grant the history scopes, with which the bot can look up doubtful posts."""
        for scope in HISTORY_SCOPES:
            self.local_slack.grant(scope)

    async def open_channels(self, count: int, *, private: bool = False, words: str = "all mock") -> list[str]:
        """Create channels with an active subscription, by default to everything."""
        names = [f"gw-{len(self.channels) + number}" for number in range(count)]
        new = [self.local_slack.add_channel(name, private=private) for name in names]
        async with open_factory(self.deployment.settings()) as factory:
            for channel in new:
                await factory.subscriptions.add_confirmed(
                    self.local_slack.team_id,
                    channel,
                    parse_criteria(words),
                    self.local_slack.user,
                    datetime.now(UTC),
                )
        self.channels += new
        return new

    async def publish(self, count: int, *, times: int = 1, topic: str = TOPIC) -> None:
        """Publish the next generated notices, each `times` times."""
        await self._publish(self.notice_generator.next_notices(count), times=times, topic=topic)

    async def publish_alert(self) -> str:
        """Publish the first notice of a new real event; return its id."""
        name, body = self.notice_generator.new_real_event()
        await self._publish([body])
        return name

    async def publish_circulars(self, count: int) -> None:
        """Publish circulars about events that were published, among the notices."""
        events = list(self.notice_generator.events)

        def work() -> None:
            with Publisher(self.broker.url(TOPIC)) as publisher:
                for _ in range(count):
                    name = self.rng.choice(events)
                    number = FIRST_CIRCULAR + sum(map(len, self.circulars.values()))
                    body = circular(name, created=datetime.now(UTC), number=number, title="Upper limits")
                    self.circular_offsets[_publish(publisher, body)] = number
                    self.circulars.setdefault(name, []).append(number)

        await asyncio.to_thread(work)

    async def _publish(self, bodies: Sequence[bytes], *, times: int = 1, topic: str = TOPIC) -> None:
        def work() -> None:
            with Publisher(self.broker.url(topic)) as publisher:
                for body in bodies:
                    for _ in range(times):
                        self.offsets[_publish(publisher, body)] = body

        await asyncio.to_thread(work)

    def start(self, step: str | None = None, command: str | None = None, **changes: str | None) -> BotProcess:
        """Start a bot with this case's tuning: `gwevent run`, or another command."""
        return self.deployment.start_entrypoint(
            bot_entrypoint.run, step, {**self.tuning.to_environment(), **changes}, command
        )

    async def start_working(
        self, *, channels: int, notices: int = 3, history: bool = True, **changes: str | None
    ) -> None:
        """Start a bot and wait until it has delivered some notices; `history` grants the history scopes."""
        if history:
            self.grant_history()
        await self.open_channels(channels)
        self.start(**changes)
        await self.wait_until_ready()
        await self.publish(notices)
        await self.wait_until_delivered()

    async def kill(self, bot: BotProcess | None = None) -> None:
        """Kill a bot with SIGKILL, and record the deliveries that it was sending."""
        bot = bot or self.bot
        if not bot.has_exited:
            os.kill(bot.pid, signal.SIGKILL)
        await wait_until(lambda: bot.has_exited, TIMEOUT_S, what="the bot is dead")
        assert bot.exit_status() == -signal.SIGKILL, (
            f"It ended by itself ({bot.exit_status()}), see {bot.log_path}"
        )
        self.kills += 1
        rows = self.deployment.query_database(
            "select id from deliveries where state = 'sending' and kind not in ('edit', 'follow_up_edit')"
        )
        self.in_flight.update(int(row[0]) for row in rows)
        await self.check_acknowledged()

    def kill_at_post(self, bot: BotProcess, number: int) -> None:
        """Kill a bot after Slack executed its n-th post or edit, before Slack answers."""
        self.signal_at_post(bot, number, signal.SIGKILL)

    def signal_at_post(self, bot: BotProcess, number: int, what: signal.Signals) -> asyncio.Event:
        """Send a signal to a bot after its n-th post or edit; the event is set when the signal was sent."""
        left, sent = number, asyncio.Event()

        def heed(change: Change) -> None:
            nonlocal left
            if change.type not in ("message", "message_changed"):
                return
            left -= 1
            if left == 0 and not bot.has_exited:
                os.kill(bot.pid, what)
                sent.set()
            if left <= 0 or bot.has_exited:
                # The list is being iterated over.
                asyncio.get_running_loop().call_soon(self._remove_listener, heed)

        self.local_slack.workspace.listeners.append(heed)
        return sent

    def _remove_listener(self, heed: Callable[[Change], None]) -> None:
        if heed in self.local_slack.workspace.listeners:
            self.local_slack.workspace.listeners.remove(heed)

    async def check_acknowledged(self) -> None:
        """Check that each notice acknowledged to the broker is stored."""
        acknowledged = await asyncio.to_thread(self.broker.committed, GROUP, TOPIC)
        notices = len({body for offset, body in self.offsets.items() if offset < acknowledged})
        stored = self.deployment.stored_count()
        assert notices <= stored, f"{notices} notices are acknowledged, {stored} stored"
        if self.circulars:
            told = len({number for offset, number in self.circular_offsets.items() if offset < acknowledged})
            kept = self._stored_circulars()
            assert told <= kept, f"{told} circulars are acknowledged, {kept} stored"

    def _stored_circulars(self) -> int:
        query = "select count(*) from related_messages where stream = 'circulars'"
        return int(self.deployment.query_database(query)[0][0])

    async def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; fail if the bot ends."""

        def happened() -> object:
            if found := condition():
                return found
            assert not self.bot.has_exited, f"The bot ended, see {self.bot.log_path}"
            return None

        await wait_until(happened, TIMEOUT_S, what=f"{what}, see {self.bot.log_path}")

    async def wait_until_logged(self, name: str, times: int = 1) -> None:
        """Wait until the bot has logged an event."""
        await self.wait_until(lambda: len(self.bot.logged_events(name)) >= times, f"the log says {name}")

    async def wait_until_ready(self) -> None:
        """Wait until the bot reads the broker and is connected to Slack."""
        await self.wait_until_logged("source_connected")
        await self.wait_until_logged("socket_mode_connected")

    async def wait_until_stored(self) -> None:
        """Wait until all published notices are stored."""
        await self.wait_until(
            lambda: self.deployment.stored_count() >= self.notice_generator.count,
            f"{self.notice_generator.count} notices are stored",
        )
        if self.circulars:
            count = sum(map(len, self.circulars.values()))
            await self.wait_until(lambda: self._stored_circulars() >= count, f"{count} circulars are stored")

    async def wait_until_delivered(self) -> None:
        """Wait until all published notices are stored and delivered."""
        await self.wait_until_stored()
        await self.wait_until(lambda: not self.deployment.pending_count(), "no delivery waits")

    async def wait_for_command(self, words: str = "help", says: str = "subscribe") -> None:
        """Send a slash command and wait for the answer."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            asked = await self.local_slack.command("/gwevent", words, channel=self.channels[0])
            try:
                assert says in message_text(await asked.wait_for_answer(10.0))
                return
            except TimeoutError:
                assert time.monotonic() < deadline, f"no answer in Slack, see {self.bot.log_path}"

    async def check(self) -> Verdict:
        """Check the channels' messages, and that every acknowledged notice is stored."""
        await self.check_acknowledged()
        excused = Counter[int]() if self.has_history else self.in_flight + self._unconfirmed_posts()
        alerts = self.messages_by_channel()
        verdict = check_messages(self.notice_generator.events, alerts, excused=excused, revived=self.revived)
        check_follow_ups(verdict, self.circulars, alerts, self._follow_ups_by_channel(), excused=excused)
        return verdict

    def _unconfirmed_posts(self) -> Counter[int]:
        """Count, by delivery id, the posts that Slack executed without a usable answer."""
        return Counter(
            int(call.args["metadata"]["event_payload"]["delivery_id"])
            for call in self.local_slack.calls
            if call.method == "chat.postMessage"
            and (call.outcome == "dropped after" or call.outcome.startswith("ok as"))
            and call.args.get("metadata")
        )

    @property
    def has_history(self) -> bool:
        """Return True if the bot has the history scopes."""
        return set(HISTORY_SCOPES) <= self.local_slack.workspace.scopes

    def messages_by_channel(self) -> dict[str, list[AlertMessage]]:
        """Return the messages about notices in each channel."""
        return {channel: self._channel_messages(channel) for channel in self.channels}

    def _channel_messages(self, channel: str) -> list[AlertMessage]:
        return [
            parse_alert_message(message, metadata)
            for message, metadata in self._own_messages(channel)
            if not (is_side_message(message) or is_follow_up(message))
        ]

    def _follow_ups_by_channel(self) -> dict[str, list[FollowUpMessage]]:
        return {
            channel: [
                parse_follow_up(message, metadata)
                for message, metadata in self._own_messages(channel)
                if is_follow_up(message)
            ]
            for channel in self.channels
        }

    def _own_messages(self, channel: str) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
        """Yield the bot's messages in a channel, with their metadata."""
        workspace, found = self.local_slack.find(channel)
        for message in self.local_slack.messages(channel):
            if found.messages[message["ts"]].bot_id == workspace.bot_id:
                yield message, found.messages[message["ts"]].metadata

    def channel_problems(self) -> dict[str, str]:
        """Return the channels marked as unreachable, with Slack's error name."""
        return dict(self.deployment.query_database("select channel_id, problem from channels"))


def write_clock(clock: Path, wrong_by: int) -> None:
    """Replace the clock's file atomically, because a bot may be reading it."""
    new = clock.with_suffix(".new")
    new.write_text(str(wrong_by))
    new.replace(clock)


def _publish(publisher: Publisher, body: bytes) -> int:
    """Publish with retries until the broker accepts the payload, which may double it."""
    for _ in range(9):
        with suppress(KafkaException):
            return publisher.publish(body)
    return publisher.publish(body)


@asynccontextmanager
async def open_chaos_harness(
    folder: Path, seed: int, name: str, *, topics: tuple[str, ...] = (TOPIC,)
) -> AsyncIterator[ChaosHarness]:
    """Open the environment of one case, and close everything in it on exit."""
    chance = random.Random(f"{name} {seed}")
    folder.mkdir(parents=True, exist_ok=True)
    clock = folder / "clock"
    write_clock(clock, 0)
    habits = BotTuning(clock=str(clock), full_marker=str(folder / "full"))
    with ExitStack() as ends, ControllableBroker(topics) as broker:
        try:
            async with open_deployment(folder, broker=broker) as deployment:
                yield ChaosHarness(deployment, broker, chance, NoticeGenerator(chance), habits, ends)
        finally:
            broker.thaw()
