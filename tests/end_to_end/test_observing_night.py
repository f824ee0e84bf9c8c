"""A night under a fake clock: alert, mention, nobody, steps, a kill, "I have it", plan, done, coverage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.app.factory import open_factory
from bot.filters import parse_criteria
from bot.observing.footprints import parse_footprint
from bot.observing.observatories import find_site
from bot.samples import bbh, notice, to_avro
from bot.store.channels.change_log import ChangeAuthor
from formatters.models.pointing import Telescope
from formatters.posts.event_buttons import ACKNOWLEDGE_ACTION
from tests.end_to_end import night_clock
from tests.support.bot_process import BotProcess, LocalDeployment, bbh_record, open_deployment
from tests.support.messages import message_text
from tests.support.postgres import Databases
from tests.support.waiting import TIMEOUT_S, wait_until

DUSK = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORDS = "CBC notify <!subteam^S1> escalate 5min <@U2> 10min <@U3> 12h <@U4>"
GROUP, SECOND, THIRD, LAST = "<!subteam^S1>", "<@U2>", "<@U3>", "<@U4>"
LONG_POLL_S = 1.5
"""Longer than the second after which a process looks for due steps."""

pytestmark = [pytest.mark.slow, pytest.mark.process]


@dataclass
class Night:
    """A deployment whose processes and Slack have the time that the test sets."""

    deployment: LocalDeployment
    channel: str = ""
    now: datetime = DUSK
    bots: list[BotProcess] = field(default_factory=list)

    @property
    def clock(self) -> Path:
        return self.deployment.folder / "clock"

    @property
    def is_shared(self) -> bool:
        return self.deployment.postgres is not None

    async def prepare(self) -> None:
        """Subscribe a channel that has a telescope on Paranal."""
        slack = self.deployment.local_slack
        for scope in ("channels:history", "groups:history"):
            slack.grant(scope)
        slack.workspaces[slack.team_id].clock = self.timestamp
        self.channel = slack.add_channel("gw-night")
        self.set_time(DUSK)
        site = find_site("Paranal")
        telescope = Telescope(
            site=site.name,
            footprint=parse_footprint("3.5deg circle"),
            exposure=timedelta(minutes=3),
            overhead=timedelta(minutes=1),
        )
        async with open_factory(self.deployment.settings()) as factory:
            where = (slack.team_id, self.channel)
            criteria = parse_criteria(WORDS)
            await factory.subscriptions.add_confirmed(*where, criteria, slack.user, DUSK)
            await factory.sites.add(*where, [site], ChangeAuthor(slack.user, DUSK), [telescope])

    def timestamp(self) -> float:
        return self.now.timestamp()

    def set_time(self, now: datetime) -> None:
        self.now = now
        night_clock.write_time(self.clock, now)

    def start(self, step: str | None = None, command: str | None = None) -> BotProcess:
        changes = {night_clock.CLOCK_VARIABLE: str(self.clock)}
        bot = self.deployment.start_entrypoint(night_clock.run, step, changes, command)
        self.bots.append(bot)
        return bot

    async def start_all(self, step: str | None = None) -> BotProcess:
        """Start what delivers and what reads; return the process that serves the workspace."""
        if not self.is_shared:
            first = self.start(step)
            await first.wait_until_ready()
            return first
        first = self.start(step, "serve")
        await first.wait_until_ready()
        holds = "select 1 from leases where worker_id is not null and name not like '*%'"
        await wait_until(lambda: self.deployment.query_database(holds), what="it has the workspace")
        second = self.start(None, "serve")
        consumer = self.start(None, "consume")
        await second.wait_until_ready()
        await consumer.wait_until_logged("source_started")
        return first

    async def take_over(self, doomed: BotProcess) -> None:
        """Wait until a process has killed itself, and start another unless one is there."""
        assert await doomed.wait_for_exit() == -9, doomed.stderr
        if not self.is_shared:
            await self.start().wait_until_ready()

    def mentioned(self) -> list[str]:
        """Return whom of the rule posts in the channel mentioned, in order; edits mention nobody."""
        posts = [
            call
            for call in self.deployment.local_slack.calls
            if call.method == "chat.postMessage" and call.outcome == "ok"
        ]
        words = [word for call in posts for word in str(call.args["text"]).split()]
        return [word for word in words if word in (GROUP, SECOND, THIRD, LAST)]

    async def wait_until_mentioned(self, *people: str) -> None:
        await wait_until(lambda: self.mentioned() == list(people), what=f"{people} are mentioned")

    async def stay_at(self, now: datetime, *people: str) -> None:
        """Let the time be `now` for longer than the processes need to notice; nobody else is mentioned."""
        self.set_time(now)
        await asyncio.sleep(LONG_POLL_S)
        assert self.mentioned() == list(people)

    def query(self, query: str) -> list[tuple[Any, ...]]:
        return self.deployment.query_database(query)

    async def first_mention(self) -> datetime:
        """Return when Slack accepted the newest event's first mention."""
        query = "select mentioned_at from escalations order by id desc limit 1"
        await wait_until(lambda: [row for row in self.query(query) if row[0]], what="it is mentioned")
        return as_time(self.query(query)[0][0])

    def taken(self) -> list[tuple[str, datetime]]:
        """Return the steps that were taken, each with its time."""
        query = "select targets, taken_at from escalation_steps where state = 'taken' order by taken_at"
        return [(targets, as_time(taken_at)) for targets, taken_at in self.query(query)]

    async def ask(self, words: str) -> str:
        slack = self.deployment.local_slack
        asked = await slack.command("/gwevent", words, channel=self.channel)
        return message_text(await asked.wait_for_answer(TIMEOUT_S)).replace("\u00a0", " ")

    def card(self, name: str) -> str:
        """Return the blocks of an event's card: what steps say of it stands below."""
        return str(self.deployment.roots(self.channel, name)[0]["blocks"])

    async def settle(self) -> None:
        """Let the time run until nothing waits any more, edits that come together among it."""
        for _ in range(240):
            if not self.deployment.pending_count():
                return
            self.set_time(self.now + timedelta(seconds=1))
            await asyncio.sleep(0.1)
        raise AssertionError("deliveries still wait")


def as_time(stored: object) -> datetime:
    """Return a time as SQLite's file or PostgreSQL gives it."""
    found = stored if isinstance(stored, datetime) else datetime.fromisoformat(str(stored))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of a PostgreSQL database; None for a SQLite file."""
    if request.param == "sqlite":
        return None
    databases: Databases = request.getfixturevalue("postgres")
    return databases.create(request.getfixturevalue("migrated_postgres"))


@pytest.fixture
async def night(database_url: str | None, tmp_path: Path) -> AsyncIterator[Night]:
    """One process on SQLite; or two servers and a consumer on PostgreSQL."""
    async with open_deployment(tmp_path) as deployment:
        deployment.postgres = database_url
        made = Night(deployment)
        await made.prepare()
        yield made


async def test_a_night_from_the_alert_to_its_coverage(night: Night) -> None:
    records = list(bbh(DUSK))
    name = records[0]["superevent_id"]
    doomed = await night.start_all("take:after:1")
    await night.deployment.publish(*map(to_avro, records))
    await wait_until(lambda: night.mentioned() == [GROUP], what="the group is mentioned")
    first = await night.first_mention()

    # Nobody: five minutes later the next, not a second earlier. Who took the step is killed before it posts.
    await night.stay_at(first + timedelta(minutes=5, seconds=-1), GROUP)
    night.set_time(first + timedelta(minutes=5))
    await night.take_over(doomed)
    await night.wait_until_mentioned(GROUP, SECOND)
    await night.stay_at(first + timedelta(minutes=10, seconds=-1), GROUP, SECOND)
    night.set_time(first + timedelta(minutes=10))
    await night.wait_until_mentioned(GROUP, SECOND, THIRD)
    assert night.taken() == [
        (SECOND, first + timedelta(minutes=5)),
        (THIRD, first + timedelta(minutes=10)),
    ]

    # Somebody presses the button of the last message.
    slack = night.deployment.local_slack
    last = [m for m in slack.messages(night.channel) if THIRD in m["text"]][-1]
    night.set_time(first + timedelta(minutes=11, seconds=7))
    await slack.press(night.channel, last["ts"], ACKNOWLEDGE_ACTION, value=name)
    held = "select user_id, since from acknowledgements"
    await wait_until(lambda: night.query(held), what="somebody has it")
    ((user, since),) = night.query(held)
    assert (user, as_time(since)) == (slack.user, first + timedelta(minutes=11, seconds=7))
    await wait_until(lambda: "On it: <@" in night.card(name), what="the card says who")

    # They plan, observe half of it, and ask what is covered. The last step's time passes.
    night.set_time(first + timedelta(minutes=20))
    assert "Paranal plans 6 fields" in await night.ask(f"observe Paranal plan 6 {name}")
    night.set_time(first + timedelta(hours=14))
    assert "Paranal has done 3 fields in r to 21.5 mag" in await night.ask(
        f"observe Paranal done 3 r 21.5 {name}"
    )
    exported = await night.ask(f"coverage export json {name}")
    numbers, _ = json.JSONDecoder().raw_decode(exported, exported.index("{"))
    assert 0.1 < numbers["planned_besides"] < numbers["done"] < 0.2
    # An answer with a picture comes on its own: Slack takes a while to process the file.
    await slack.command("/gwevent", f"coverage {name}", channel=night.channel)
    shown = "of the probability is in fields that are done"
    await wait_until(
        lambda: [c for c in slack.calls if c.method == "chat.postEphemeral" and shown in c.args["text"]],
        what="coverage is answered",
    )
    await night.settle()
    assert "Paranal" in night.card(name)
    await night.stay_at(night.now, GROUP, SECOND, THIRD)
    done = "select user_id, action from event_actions order by id"
    assert [action for _, action in night.query(done)] == ["acknowledged", "planned", "observed"]
    for bot in night.bots:
        assert bot is doomed or await bot.terminate() == 0, bot.stderr


async def test_a_night_of_retractions_at_every_step(night: Night) -> None:
    await night.start_all()
    everybody = [GROUP, SECOND, THIRD]
    said: list[str] = []
    for steps, letter in enumerate("abc"):
        name = f"S261122{letter}"
        await night.deployment.publish(to_avro(bbh_record(name, "PRELIMINARY", now=night.now)))
        said.append(GROUP)
        await night.wait_until_mentioned(*said)
        first = await night.first_mention()
        for step in range(steps):
            night.set_time(first + timedelta(minutes=5 * (step + 1)))
            said.append(everybody[step + 1])
            await night.wait_until_mentioned(*said)
        await night.settle()
        night.set_time(night.now + timedelta(minutes=1))
        await night.deployment.publish(to_avro(notice(name, "RETRACTION", night.now, event=None)))
        # The stand-down reaches whom the steps reached.
        said += everybody[: steps + 1]
        await night.wait_until_mentioned(*said)
        await night.stay_at(night.now + timedelta(hours=1), *said)
        await night.settle()
    await night.stay_at(night.now + timedelta(hours=12), *said)
    ends = night.query("select end_reason from escalations order by id")
    assert [end for (end,) in ends] == ["retracted"] * 3
    assert len(night.taken()) == 3
