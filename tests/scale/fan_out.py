"""Send one notice to many channels: a database, two workers, the local Slack, and a bare loop to compare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import func, insert, select

from bot.alerts.decode import decode
from bot.app.factory import Factory, open_factory, utc_now
from bot.delivery.worker import CONCURRENCY
from bot.ingest.pipeline import IngestResult
from bot.samples import ms181101ab, to_avro
from bot.settings import Settings
from bot.sources.base import Origin
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.models import DeliveryState
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView
from tests.scale.processes import Process, module_process
from tests.support.factories import create_pipeline

WORKERS = 2
TIMEOUT_S = 600.0
POLL_S = 0.05

_d = schema.deliveries


@dataclass(frozen=True, slots=True)
class Team:
    """A workspace of the local Slack."""

    token: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """The times in which one notice reached its channels, seconds."""

    channels: int
    planned: float
    """Until the notice was stored with its plan."""
    first: float
    """Until the first post arrived at Slack."""
    done: float
    """Until the last outcome was recorded."""
    posting: float
    """From the first post to the last."""
    cpu: float
    """CPU time of all workers together."""
    bare: float
    """From the first post of the bare loop to its last."""

    @property
    def rate(self) -> float:
        """Posts per second, from the notice to the last outcome."""
        return self.channels / self.done

    @property
    def bare_rate(self) -> float:
        """Posts per second of the bare loop."""
        return self.channels / self.bare


class LocalSlackProcess:
    """The local Slack in a process of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process
        about = process.receive()
        self.api_url: str = about["api_url"]
        self.teams: Mapping[str, Team] = {
            team_id: Team(team["token"], tuple(team["channels"])) for team_id, team in about["teams"].items()
        }

    def take_counts(self) -> dict[str, Any]:
        """Return the counts of posts since the previous call."""
        return dict(self._process.request())


def first_teams(teams: Mapping[str, Team], count: int) -> dict[str, Team]:
    """Return the first `count` workspaces."""
    return dict(list(teams.items())[:count])


def channel_refs(teams: Mapping[str, Team]) -> list[tuple[str, str]]:
    """Return (team, channel) of all channels."""
    return [(team_id, channel) for team_id, team in teams.items() for channel in team.channels]


def filter_text(number: int) -> str:
    """Return a filter that no other channel has and that matches the notice."""
    return f"CBC BNS>0.{number % 8_000:04d} distance<{300 + number} area90<20000 mock"


async def subscribe(database: Database, teams: Mapping[str, Team]) -> None:
    """Activate a subscription in each channel."""
    usual = {"created_by": "U1", "created_at": utc_now(), "confirmed_at": utc_now()}
    rows = [
        usual | {"team_id": team_id, "channel_id": channel, "words": filter_text(number)}
        for number, (team_id, channel) in enumerate(channel_refs(teams))
    ]
    async with database.exclusive_transaction() as connection:
        await connection.execute(insert(schema.subscriptions), rows)


def event_id(number: int) -> str:
    """Return the id of the n-th event."""
    return f"MS18110{number}ab"


def event_notices(number: int) -> list[bytes]:
    """Return all notices of the user guide's example event, from early warning to retraction."""
    changed = {"superevent_id": event_id(number)}
    return [to_avro(dict(record) | changed) for record in ms181101ab(utc_now())]


def alert_notice(number: int) -> bytes:
    """Return the first notice of a new event, so that every run opens new root messages."""
    return event_notices(number)[1]


@asynccontextmanager
async def open_subscribed_store(url: str, teams: Mapping[str, Team]) -> AsyncIterator[Factory]:
    """Open the store on a new PostgreSQL database, with a subscription in each channel."""
    async with open_factory(Settings.model_validate({"database_url": url})) as factory:
        await subscribe(factory.database, teams)
        # Filters are parsed once in each process.
        await factory.subscriptions.count()
        yield factory


@asynccontextmanager
async def start_workers(
    url: str, factory: Factory, slack: LocalSlackProcess, teams: Mapping[str, Team], workers: int = WORKERS
) -> AsyncIterator[list[Process]]:
    """Start worker processes that share the workspaces evenly."""
    order = {
        "database": url,
        "api_url": slack.api_url,
        "tokens": {team_id: team.token for team_id, team in teams.items()},
    }
    with ExitStack() as stack:
        started = [stack.enter_context(module_process("tests.scale.worker")) for _ in range(workers)]
        for process in started:
            process.send(order)
        async with asyncio.timeout(TIMEOUT_S):
            while not await _is_balanced(factory, set(teams), workers):
                await asyncio.sleep(POLL_S)
        yield started


async def _is_balanced(factory: Factory, teams: set[str], workers: int) -> bool:
    table = schema.leases
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(select(table.c.name, table.c.worker_id))).all()
    held: dict[str, int] = {}
    for row in rows:
        if row.name in teams and row.worker_id is not None:
            held[row.worker_id] = held.get(row.worker_id, 0) + 1
    return len(held) == workers and sum(held.values()) == len(teams)


async def fan_out(
    factory: Factory,
    slack: LocalSlackProcess,
    teams: Mapping[str, Team],
    staff: Sequence[Process],
    number: int,
) -> FanOut:
    """Deliver one notice to every channel, then post the same with a bare loop. Raises AssertionError."""
    body = alert_notice(number)
    everywhere = channel_refs(teams)
    pipeline = create_pipeline(factory, utc_now, max_age=timedelta(days=1))
    slack.take_counts()
    cpu = sum(process.request() for process in staff)
    began = time.time()
    handled = await pipeline.handle(body, Origin("kafka", "scale", live=True))
    planned = time.time() - began
    assert handled is IngestResult.STORED, handled
    done = await _all_sent(factory, event_id(number), len(everywhere))
    cpu = sum(process.request() for process in staff) - cpu
    posts = slack.take_counts()
    assert posts["posted"] == posts["channels"] == len(everywhere), posts
    bare = await post_without_bot(slack, teams, body)
    slack.take_counts()
    return FanOut(
        channels=len(everywhere),
        planned=planned,
        first=posts["first"] - began,
        done=done.timestamp() - began,
        posting=posts["last"] - posts["first"],
        cpu=cpu,
        bare=bare,
    )


async def _all_sent(factory: Factory, superevent_id: str, count: int) -> datetime:
    """Wait until all deliveries are recorded, and return the time of the last."""
    waiting = (
        select(_d.c.id)
        .where(_d.c.state.in_([DeliveryState.PENDING.value, DeliveryState.SENDING.value]))
        .limit(1)
    )
    mine = select(func.count(), func.max(_d.c.sent_at)).where(
        _d.c.slot == f"root:{superevent_id}", _d.c.state == DeliveryState.SENT.value
    )
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            async with factory.database.read_transaction() as connection:
                if (await connection.execute(waiting)).first() is None:
                    sent, last = (await connection.execute(mine)).one()
                    assert sent == count, f"{sent} of {count} were sent"
                    assert isinstance(last, datetime)
                    return last
            await asyncio.sleep(POLL_S)


async def post_without_bot(slack: LocalSlackProcess, teams: Mapping[str, Team], body: bytes) -> float:
    """Return the seconds for the same posts without the bot, with the concurrency of one worker."""
    message = alert_card.alert_card(Superevent.from_notices([decode(body)]), ChannelView())
    blocks = [dict(block) for block in message.blocks]
    room = asyncio.Semaphore(CONCURRENCY)
    async with aiohttp.ClientSession() as session:
        clients = {
            team_id: AsyncWebClient(team.token, base_url=slack.api_url, session=session, retry_handlers=[])
            for team_id, team in teams.items()
        }

        async def post(team_id: str, channel: str) -> None:
            async with room:
                await clients[team_id].chat_postMessage(channel=channel, text=message.text, blocks=blocks)

        began = time.perf_counter()
        await asyncio.gather(*(post(*place) for place in channel_refs(teams)))
        return time.perf_counter() - began
