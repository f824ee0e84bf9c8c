"""Entry point that runs the bot with a fake clock, shortened time-outs and switches for faults.

Minutes in production are seconds here: pauses, time-outs and retries are shortened, nothing else is changed.
The paths in `BotTuning` are files through which a running bot is controlled.
"""

from __future__ import annotations

import functools
import json
import resource
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import Message
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

import bot.app.startup
import bot.delivery.degraded_messages
import bot.delivery.retry_policy
import bot.slack.gateway
import bot.sources.topic_source
import bot.store.channels.change_log
import bot.store.channels.mutes
import bot.store.outbox.follow_up_writer
import bot.store.outbox.mention_writer
from bot.app.factory import Factory
from bot.ingest.extra_topics import ExtraTopicConsumer
from bot.runtime import machine_clock
from bot.skymap_service.image_process import ImageProcess
from bot.slack.client import SlackClient
from bot.sources.broker_access import TopicTiming
from bot.sources.hopskotch import HopskotchSource, HopskotchTiming
from bot.sources.topic_source import TopicSource
from bot.store.outbox.escalation_writer import begin_escalations
from tests.end_to_end import crash_points

TUNING_VARIABLE = "CHAOS_HABITS"
READER_DEFECT = b"chaos: the reader breaks"
STALL_SIGNAL = signal.SIGUSR1
"""Signal that makes the reader stall without an error, as in librdkafka#5153."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotTuning:
    """The time-outs and faults of a bot; the defaults make it fast."""

    channel_pause: float = 0.02
    slack_timeout: float = 15.0
    max_wait: float = 2.0
    ping_every: float = 1.0
    stuck_after: float = 3.0
    clock: str = ""
    """Path of a file with the error of the machine's clock in seconds."""
    full_marker: str = ""
    """Path of a file that makes the database full while it exists."""
    drawing_timeout: float = 30.0
    reader_defects: int = 0
    """How often a message that begins with "chaos: the reader breaks" ends the reader of an extra topic."""
    step_s: float = 3.0
    """Seconds of an escalation's minute."""
    descriptors: int = 0
    """Limit of open file descriptors at the start; 0 for the system's limit."""

    def to_environment(self) -> dict[str, str]:
        """Return the tuning as environment variables of a bot."""
        return {TUNING_VARIABLE: json.dumps(asdict(self))}


def run(environment: dict[str, str], folder: str, log: str, step: str | None, command: str = "run") -> None:
    """Run `gwevent run` or another command; kill the process at a step if one is given."""
    apply_tuning(BotTuning(**json.loads(environment.pop(TUNING_VARIABLE))))
    crash_points.run(environment, folder, log, step, command)


def apply_tuning(tuning: BotTuning) -> None:
    """Replace the bot's constants by those of the tuning."""
    timing = HopskotchTiming(
        first_backoff_s=0.2,
        max_backoff_s=tuning.max_wait,
        watermark_interval_s=0.5,
        query_timeout_s=2.0,
        stuck_timeout_s=tuning.stuck_after,
    )
    topic_timing = TopicTiming(
        first_backoff_s=0.2,
        max_backoff_s=tuning.max_wait,
        watermark_interval_s=1.0,
        pattern_interval_s=tuning.max_wait,
        refused_retry_s=tuning.max_wait,
        query_timeout_s=2.0,
        stuck_timeout_s=tuning.stuck_after,
    )
    patch(bot.sources.topic_source, "OPTIONAL_TIMING", topic_timing)
    patch(bot.sources.topic_source, "REQUIRED_TIMING", topic_timing)
    patch(
        ExtraTopicConsumer,
        "__init__",
        _with_arguments(ExtraTopicConsumer.__init__, first_backoff_s=0.2),
    )
    _break_readers(tuning.reader_defects)
    patch(bot.slack.gateway, "MAX_BACKOFF_S", tuning.max_wait)
    patch(bot.delivery.retry_policy, "MAX_BACKOFF_S", tuning.max_wait)
    patch(bot.store.outbox.follow_up_writer, "COALESCE_FOR", timedelta(seconds=0.3))
    patch(bot.store.outbox.follow_up_writer, "REPOST_INTERVAL", timedelta(seconds=tuning.max_wait))
    patch(bot.store.channels.change_log, "MIN_POST_INTERVAL", timedelta(seconds=tuning.max_wait))
    patch(bot.store.channels.mutes, "MIN_POST_INTERVAL", timedelta(seconds=tuning.max_wait))
    whole_again = (timedelta(seconds=0.2), timedelta(seconds=tuning.max_wait))
    shorten = functools.partial(_shorten_steps, begin_escalations, tuning.step_s)
    patch(bot.store.outbox.mention_writer, "begin_escalations", shorten)
    patch(bot.delivery.degraded_messages, "RESTORE_DELAYS", whole_again)
    patch(
        Factory,
        "create_delivery_worker",
        functools.partialmethod(Factory.create_delivery_worker, channel_pause_s=tuning.channel_pause),
    )
    patch(SlackClient, "__init__", _with_arguments(SlackClient.__init__, timeout_s=tuning.slack_timeout))
    patch(HopskotchSource, "__init__", _with_arguments(HopskotchSource.__init__, timing=timing))
    patch(
        AsyncSocketModeHandler,
        "__init__",
        _with_arguments(AsyncSocketModeHandler.__init__, ping_interval=tuning.ping_every),
    )
    if tuning.clock:
        patch(machine_clock, "wall_time", functools.partial(skewed_time, Path(tuning.clock)))
    patch(
        ImageProcess,
        "__init__",
        _with_arguments(
            ImageProcess.__init__,
            timeout_s=tuning.drawing_timeout,
            start_timeout_s=2 * tuning.drawing_timeout,
        ),
    )
    if tuning.descriptors:
        # Lower the soft limit, which the bot itself would raise.
        patch(bot.app.startup, "raise_descriptor_limit", lambda: tuning.descriptors)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (tuning.descriptors, hard))
    if tuning.full_marker:
        event.listen(Engine, "begin", functools.partial(_limit_pages, Path(tuning.full_marker)))
    _stall_on_signal()


def patch(owner: Any, name: str, value: object) -> None:
    """Replace an attribute of a module or class. Raises AttributeError if there is none of this name."""
    getattr(owner, name)
    setattr(owner, name, value)


def skewed_time(offset: Path) -> float:
    """Return the Unix time of a clock with the error that the file gives."""
    return time.time() + float(offset.read_text())


def _with_arguments(function: Callable[..., Any], **given: object) -> Callable[..., Any]:
    @functools.wraps(function)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **{**given, **kwargs})

    return replaced


def _limit_pages(full: Path, connection: Connection) -> None:
    # Beyond this page count SQLite reports "database or disk is full"; the least value is the present count.
    connection.exec_driver_sql(f"PRAGMA max_page_count = {1 if full.exists() else 2**30}")


def _break_readers(times: int) -> None:
    handle = TopicSource._handle_message
    broken = 0

    def handle_or_break(self: TopicSource, consumer: Any, session: Any, message: Message) -> None:
        nonlocal broken
        if broken < times and (message.value() or b"").startswith(READER_DEFECT):
            broken += 1
            raise TypeError("a defect of the reader")
        handle(self, consumer, session, message)

    patch(TopicSource, "_handle_message", handle_or_break)


def _stall_on_signal() -> None:
    sources: list[HopskotchSource] = []
    original = HopskotchSource.payloads

    def payloads(self: HopskotchSource) -> Any:
        sources.append(self)
        return original(self)

    def stick(*_: object) -> None:
        def pause() -> None:
            for source in sources:
                if source._connection is not None:
                    consumer = source._connection.stream._consumer._consumer
                    consumer.pause(consumer.assignment())

        threading.Thread(target=pause, daemon=True).start()

    patch(HopskotchSource, "payloads", payloads)
    signal.signal(STALL_SIGNAL, stick)


async def _shorten_steps(
    begin: Callable[..., Any], minute_s: float, connection: Any, escalations: Any, now: Any
) -> Any:
    """Begin escalations whose minutes are `minute_s` seconds long."""
    short = [
        replace(one, steps=tuple(replace(s, after=s.after * (minute_s / 60)) for s in one.steps))
        for one in escalations
    ]
    return await begin(connection, short, now)
