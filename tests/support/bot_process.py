"""A broker, a local Slack, and the bot between them in a process of its own."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import psycopg

from bot.app.factory import open_factory
from bot.demo.kafka_broker import MAX_UNREAD_BYTES, EmbeddedBroker, Publisher
from bot.filters import parse_criteria
from bot.local_slack.server import LocalSlack
from bot.samples import Record, event, notice, to_avro
from bot.samples.edge_cases import few_rows
from bot.settings import Settings
from tests.end_to_end import crash_points
from tests.support import messages
from tests.support.messages import Json
from tests.support.waiting import wait_until

TOPIC = "igwn.gwalert"
GROUP = "gwevent-test"
REPOSITORY = Path(__file__).resolve().parents[2]

Entrypoint = Callable[..., None]
"""What a forked bot runs: environment, folder, log, and the step to die at."""


class Broker(Protocol):
    """A broker whose address may change when it is restarted."""

    def url(self, topic: str) -> str: ...


@dataclass
class LocalDeployment:
    """The environment of a bot's process: broker, local Slack, database and folder."""

    local_slack: LocalSlack
    broker: Broker
    folder: Path
    processes: list[BotProcess] = field(default_factory=list)
    postgres: str | None = None
    """URL of a PostgreSQL database for several processes; if None, a SQLite file is used."""

    @property
    def database(self) -> Path:
        return self.folder / "gwevent.sqlite"

    @property
    def database_url(self) -> str:
        return self.postgres or f"sqlite:///{self.database}"

    def environment(self, **changes: str | None) -> dict[str, str]:
        """Return the environment variables of a bot's process; a value of None removes a variable."""
        given: dict[str, str | None] = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(REPOSITORY),
            "SLACK_BOT_TOKEN": self.local_slack.bot_token,
            "SLACK_APP_TOKEN": self.local_slack.app_token,
            "GWEVENT_SLACK_API_URL": self.local_slack.api_url,
            "GWEVENT_DATABASE_URL": self.database_url,
            "GWEVENT_KAFKA_URL": self.broker.url(TOPIC),
            "GWEVENT_KAFKA_GROUP": GROUP,
            "GWEVENT_KAFKA_AUTH": "off",
            # Topics that the broker doesn't have would only cost threads.
            "GWEVENT_HOPSKOTCH_TOPICS": "off",
            "GWEVENT_GRACEDB_URL": "off",
            "GWEVENT_LOG_FORMAT": "json",
        }
        return {name: value for name, value in (given | changes).items() if value is not None}

    def settings(self, **changes: object) -> Settings:
        """Return the settings for a bot in this process."""
        return Settings.model_validate(
            {
                "slack_bot_token": self.local_slack.bot_token,
                "slack_app_token": self.local_slack.app_token,
                "slack_api_url": self.local_slack.api_url,
                "database_url": self.database_url,
                "kafka_url": self.broker.url(TOPIC),
                "kafka_group": GROUP,
                "kafka_auth": "off",
                "hopskotch_topics": "",
                "gracedb_url": None,
                **changes,
            }
        )

    async def subscribe(self, channel: str, words: str) -> None:
        """Activate a subscription before the bot starts, without a confirmation."""
        async with open_factory(self.settings()) as factory:
            await factory.subscriptions.add_confirmed(
                self.local_slack.team_id,
                channel,
                parse_criteria(words),
                self.local_slack.user,
                datetime.now(UTC),
            )

    async def publish(self, *bodies: bytes) -> None:
        """Publish payloads in this order. More than 4.5 MB in total needs a running reader."""

        def work() -> None:
            reader = GROUP if sum(map(len, bodies)) > MAX_UNREAD_BYTES else None
            with Publisher(self.broker.url(TOPIC)) as publisher:
                for body in bodies:
                    publisher.publish(body, reader_group=reader)

        await asyncio.to_thread(work)

    def start(self, python: str = sys.executable, **changes: str | None) -> BotProcess:
        """Start `gwevent run` from the command line, as in production, by the Python that has it."""
        log = self._next_log()
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [python, "-m", "bot", "run"],
                env=self.environment(**changes),
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        return self._started(BotProcess(process.pid, process.poll, log))

    def start_forked(
        self, step: str | None = None, command: str | None = None, **changes: str | None
    ) -> BotProcess:
        """Fork `gwevent run`, or another command, from a process that has imported it already.

        If `step` is given, the bot kills itself at that step.
        """
        return self.start_entrypoint(crash_points.run, step, changes, command)

    def start_entrypoint(
        self,
        life: Entrypoint,
        step: str | None,
        changes: Mapping[str, str | None],
        command: str | None = None,
    ) -> BotProcess:
        """Fork a bot that runs another entry point."""
        log = self._next_log()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([life.__module__])
        process = context.Process(
            target=life,
            args=(self.environment(**changes), str(self.folder), str(log), step, *filter(None, [command])),
        )
        process.start()
        assert process.pid is not None
        return self._started(BotProcess(process.pid, lambda: process.exitcode, log))

    def _next_log(self) -> Path:
        log = self.folder / f"bot-{len(self.processes)}.log"
        log.touch()
        return log

    def _started(self, bot: BotProcess) -> BotProcess:
        self.processes.append(bot)
        return bot

    def query_database(self, query: str) -> list[tuple[Any, ...]]:
        """Query the bot's database directly, without the bot's code."""
        if self.postgres is not None:
            with psycopg.connect(self.postgres) as shared:
                return shared.execute(query.encode()).fetchall()
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def pending_count(self) -> int:
        """Return the number of open deliveries."""
        query = "select count(*) from deliveries where state in ('pending', 'sending')"
        return int(self.query_database(query)[0][0])

    def stored_count(self) -> int:
        """Return the number of stored notices."""
        return int(self.query_database("select count(*) from notices")[0][0])

    async def wait_until_delivered(self, notices: int) -> None:
        """Wait until this many notices are stored and no delivery is open."""
        bot = self.processes[-1]

        def arrived() -> bool:
            assert not bot.has_exited, f"The bot ended:\n{bot.stderr}"
            made = self.postgres is not None or self.database.stat().st_size > 0
            return made and self.stored_count() == notices and not self.pending_count()

        await wait_until(arrived, what=f"{notices} notices are stored and delivered, see {bot.log_path}")

    def roots(self, channel: str, superevent_id: str = "") -> list[Json]:
        """Return the messages of a channel that are in no thread, about one superevent or about all."""
        return messages.roots(self.local_slack.messages(channel), superevent_id)

    def replies(self, channel: str, root: Json) -> list[Json]:
        """Return the messages in a root's thread."""
        return messages.replies(self.local_slack.messages(channel), root)


@dataclass
class BotProcess:
    """A bot's process and its log."""

    pid: int
    exit_status: Callable[[], int | None]
    """Returns the exit status; None while the process runs."""
    log_path: Path

    @property
    def stderr(self) -> str:
        """Return the standard error output so far."""
        return self.log_path.read_text()

    @property
    def log_records(self) -> list[Json]:
        """Return the log's records; lines that are not JSON, such as a final error message, are omitted."""
        return [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]

    def logged_events(self, name: str) -> list[Json]:
        """Return the records of one event, given as name and fields: "store_unavailable subsystem=ingest"."""
        event, *fields = name.split(" ")
        wanted = {"event": event, **dict(field.split("=", 1) for field in fields)}
        return [line for line in self.log_records if wanted.items() <= line.items()]

    @property
    def has_exited(self) -> bool:
        return self.exit_status() is not None

    async def wait_until_logged(self, name: str, times: int = 1) -> None:
        """Wait until an event has been logged `times` times."""

        def seen() -> bool:
            if len(self.logged_events(name)) >= times:
                return True
            assert not self.has_exited, f"The bot ended before it logged {name}:\n{self.stderr}"
            return False

        await wait_until(seen, what=f"the log says {name}")

    async def wait_until_ready(self) -> None:
        """Wait until the bot is connected to Slack."""
        await self.wait_until_logged("socket_mode_connected")

    async def wait_for_exit(self) -> int:
        """Wait until the process has ended, and return its exit status."""
        await wait_until(lambda: self.has_exited, what="the bot ends")
        status = self.exit_status()
        assert status is not None
        return status

    async def terminate(self) -> int:
        """Terminate the process with SIGTERM, as a service manager does."""
        os.kill(self.pid, signal.SIGTERM)
        return await self.wait_for_exit()

    async def kill(self) -> None:
        """Kill the process with SIGKILL, like a power failure."""
        os.kill(self.pid, signal.SIGKILL)
        await self.wait_for_exit()


@asynccontextmanager
async def open_deployment(folder: Path, *, broker: Broker | None = None) -> AsyncIterator[LocalDeployment]:
    """Open a deployment, with an embedded broker unless one is given; kill every bot when it closes."""
    own = EmbeddedBroker() if broker is None else None
    async with LocalSlack(limits=False, file_delay=0.0) as local_slack:
        if own is not None:
            own.start()
            own.create_topic(TOPIC)
        deployment = LocalDeployment(local_slack, own or broker or EmbeddedBroker(), folder)
        try:
            yield deployment
        finally:
            for process in deployment.processes:
                if not process.has_exited:
                    await process.kill()
            if own is not None:
                own.stop()


def bbh_record(
    superevent_id: str, alert_type: str, after: float = 0.0, *, now: datetime | None = None
) -> Record:
    """Return a small notice of a binary black hole, sent `after` seconds after its event's first."""
    at = (now or datetime.now(UTC)).replace(microsecond=0) - timedelta(minutes=5)
    facts = event(
        at - timedelta(seconds=30),
        far=2.2e-9,
        classification={"BNS": 0.0, "NSBH": 0.01, "BBH": 0.98, "Terrestrial": 0.01},
        properties={"HasNS": 0.01, "HasRemnant": 0.0, "HasMassGap": 0.02},
        skymap=few_rows(),
    )
    return notice(superevent_id, alert_type, at + timedelta(seconds=after), event=facts)


def avro_bbh(superevent_id: str, alert_type: str, after: float = 0.0) -> bytes:
    """Return the notice of `bbh_record` as SCiMMA sends it."""
    return to_avro(bbh_record(superevent_id, alert_type, after))
