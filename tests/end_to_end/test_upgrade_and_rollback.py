"""gwevent 0.1.0, this version, and 0.1.0 again on one database, each killed with threads in flight."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from bot.store.outbox.models import DeliveryKind
from bot.store.rollback import (
    CALL_KINDS_OF_0_1_0,
    DELIVERY_KINDS_OF_0_1_0,
    FIELDS_OF_0_1_0,
    INCIDENT_KINDS_OF_0_1_0,
    QUANTITIES_OF_0_1_0,
    REASON,
)
from formatters.models.filter import FIELDS
from formatters.models.quantity import QUANTITIES
from tests.support.bot_process import BotProcess, LocalDeployment, avro_bbh, open_deployment
from tests.support.messages import Json, message_text
from tests.support.old_version import OldVersionUnavailable, install_old_version
from tests.support.postgres import Databases
from tests.support.waiting import TIMEOUT_S, wait_until

A, B, C = "S240101a", "S240101b", "S240101c"

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the wheel of gwevent 0.1.0 is installed."""
    try:
        return install_old_version(tmp_path_factory.mktemp("e8f3c8d"))
    except OldVersionUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "postgresql"])
async def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LocalDeployment]:
    """The world with a database that has no tables yet."""
    async with open_deployment(tmp_path) as made:
        if request.param == "postgresql":
            postgres: Databases = request.getfixturevalue("postgres")
            made.postgres = postgres.create()
        yield made


class World:
    """Four channels: in `plain` and `changed` all goes well; posts in `answerless` are taken without an
    answer, and those in `slow` aren't taken, while `hold` is in force."""

    def __init__(self, deployment: LocalDeployment, old_python: Path) -> None:
        self.deployment = deployment
        self.old_python = old_python
        self.slack = deployment.local_slack
        for scope in ("channels:history", "groups:history"):
            self.slack.grant(scope)
        names = ("plain", "answerless", "slow", "changed")
        self.channels = [self.slack.add_channel(name) for name in names]
        self.plain, self.answerless, self.slow, self.changed = self.channels
        self.night = self.slack.add_channel("night")
        """The channel of what 0.1.0 doesn't know: steps, mutes, observations."""

    async def start_old(self) -> BotProcess:
        bot = self.deployment.start(str(self.old_python), PYTHONPATH=None)
        await bot.wait_until_ready()
        return bot

    async def start_new(self, **settings: str) -> BotProcess:
        bot = self.deployment.start(**settings)
        await bot.wait_until_ready()
        return bot

    async def ask(self, words: str, channel: str) -> str:
        asked = await self.slack.command("/gwevent", words, channel=channel)
        return message_text(await asked.wait_for_answer(TIMEOUT_S))

    def hold(self) -> None:
        self.slack.fail("chat.postMessage", channel=self.answerless, delay_after=600, times=None)
        self.slack.fail("chat.postMessage", channel=self.slow, delay=600, times=None)

    def open(self, condition: str = "1 = 1") -> int:
        """Return how many deliveries have no final outcome yet."""
        found = self.deployment.query_database(
            f"select count(*) from deliveries where state in ('pending', 'sending') and {condition}"
        )
        return int(found[0][0])

    async def wait_until_in_flight(self, notices: int) -> None:
        """Wait until two posts are under way and there is nothing more to do elsewhere."""
        stuck = f"channel_id in ('{self.answerless}', '{self.slow}')"
        sending = "state = 'sending' and kind <> 'edit'"
        await wait_until(
            lambda: (
                self.deployment.stored_count() == notices
                and self.open(f"{stuck} and {sending}") == 2
                and not self.open(f"not ({stuck})")
            ),
            what=f"{notices} notices are stored, and two posts under way",
        )

    async def kill(self, bot: BotProcess) -> None:
        await bot.kill()
        self.slack.faults.clear()

    def threads(self, channel: str) -> dict[str, list[str]]:
        """Return by event the alert types that its thread's replies are about, in their order."""
        found: dict[str, list[str]] = {}
        for event in (A, B, C):
            roots = self.deployment.roots(channel, event)
            assert len(roots) <= 1, f"{event} has {len(roots)} root messages in {channel}"
            for root in roots:
                replies = self.deployment.replies(channel, root)
                assert all(reply["text"].startswith(f"{event} ") for reply in replies)
                found[event] = [reply["text"].split()[1].strip(":,") for reply in replies]
        return found

    def check(self, **threads: list[str]) -> None:
        """Check that every channel has these threads, and nothing twice."""
        expected = {event: threads[name] for event, name in ((A, "a"), (B, "b"), (C, "c")) if name in threads}
        for channel in self.channels:
            assert self.threads(channel) == expected, channel
            shown: list[Json] = self.slack.messages(channel)
            ids = Counter(message["metadata"]["event_payload"]["delivery_id"] for message in shown)
            assert max(ids.values()) == 1, f"posted twice in {channel}: {ids}"
            for event, types in expected.items():
                [root] = self.deployment.roots(channel, event)
                newest = types[-1] if types else "PRELIM"
                assert newest in root["text"], "the root message shows the newest notice"


def open_calls(world: World) -> int:
    """Return how many webhook calls nobody has accepted yet."""
    found = world.deployment.query_database("select count(*) from webhook_calls where state = 'pending'")
    return int(found[0][0])


async def leave_the_night_open(world: World) -> None:
    """Have a plan reported, the event muted, and two steps due whose message and call nobody hears."""
    world.slack.fail("chat.postMessage", channel=world.night, delay=600, times=None)
    world.slack.fail("chat.update", channel=world.night, delay=600, times=None)
    planned = await world.ask(f"observe ZTF plan {C}\n150.1 2.2\n151.3 2.2", world.night)
    [stored] = world.deployment.query_database("select count(*) from observations")
    assert stored[0] == 1, planned
    await wait_until(
        lambda: world.open(f"channel_id = '{world.night}' and kind in ('follow_up', 'follow_up_edit')"),
        what="the Follow-up reply about the plan waits",
    )
    await world.ask(f"mute {C}", world.night)
    execute(
        world.deployment,
        "update escalation_steps set due_at ="
        " (select started_at from escalations where escalations.id = escalation_id)",
    )

    await wait_until(lambda: world.open("kind = 'mute'"), what="a message about the mute waits")
    await wait_until(lambda: world.open("kind = 'escalation'"), what="a step's message waits")
    await wait_until(lambda: open_calls(world), what="a step's call waits")


def execute(deployment: LocalDeployment, statement: str) -> None:
    """Change the database directly, without the bot's code."""
    if deployment.postgres is not None:
        with psycopg.connect(deployment.postgres) as shared:
            shared.execute(statement.encode())
        return
    with sqlite3.connect(deployment.database, timeout=10) as connection:
        connection.execute(statement)
    connection.close()


def open_incident(deployment: LocalDeployment, kind: str) -> None:
    """Write an open incident that nobody was told of yet."""
    seen = "now()" if deployment.postgres else "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    execute(
        deployment,
        "insert into troubles (what, open_as, detail, since, seen_at, told)"
        f" values ('{kind}', '{kind}', '1 MB are left', {seen}, {seen}, false)",
    )


def errors(bot: BotProcess) -> list[Json]:
    return [record for record in bot.log_records if record["level"] in ("error", "critical")]


async def test_threads_go_on_through_an_upgrade_and_back(
    deployment: LocalDeployment, old_python: Path
) -> None:
    world = World(deployment, old_python)

    # 0.1.0 makes the database and is killed with posts under way.
    bot = await world.start_old()
    for channel in world.channels:
        await world.ask("subscribe CBC", channel)
    await world.ask("subscribe far<1/month", world.changed)
    await deployment.publish(avro_bbh(A, "PRELIMINARY"))
    await deployment.wait_until_delivered(1)
    world.hold()
    await deployment.publish(avro_bbh(A, "INITIAL", 60), avro_bbh(B, "PRELIMINARY"))
    await world.wait_until_in_flight(3)
    await world.kill(bot)

    # This version finds what Slack took, posts the rest, and is killed in the same way.
    bot = await world.start_new(
        GWEVENT_WEBHOOK_URL="http://127.0.0.1:9/nobody", GWEVENT_WEBHOOK_FORMAT="json"
    )
    await world.ask("subscribe CBC notify <@U1> escalate 5min <@U2> 10min webhook", world.night)
    await deployment.wait_until_delivered(3)
    world.check(a=["INITIAL"], b=[])
    world.hold()
    await deployment.publish(avro_bbh(A, "UPDATE", 120), avro_bbh(C, "PRELIMINARY"))
    await world.wait_until_in_flight(5)
    # What 0.1.0 doesn't know: steps, mutes, observations, a report of a change, an incident of a new kind.
    await leave_the_night_open(world)
    world.slack.fail("chat.postMessage", channel=world.changed, delay=600, times=None)
    await world.ask("unsubscribe far<1/month", world.changed)
    await wait_until(lambda: world.open("kind = 'change'"), what="the report of the change waits")
    await world.kill(bot)
    assert errors(bot) == []
    open_incident(deployment, "space")
    calls = open_calls(world)

    prepared = subprocess.run(
        [sys.executable, "-m", "bot", "migrate", "--prepare-rollback"],
        env=deployment.environment(),
        cwd=deployment.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    closed = deployment.query_database(
        f"select distinct kind from deliveries where state = 'dead' and reason = '{REASON}'"
    )
    assert {kind for (kind,) in closed} >= {"change", "escalation", "mute"}
    assert calls and f"incidents: 1, webhook calls: {calls}." in prepared.stdout
    assert "Escalations stopped: " in prepared.stdout

    # 0.1.0 does the same with what this version left.
    bot = await world.start_old()
    await deployment.publish(avro_bbh(B, "INITIAL", 60))
    await deployment.wait_until_delivered(6)
    world.check(a=["INITIAL", "UPDATE"], b=["INITIAL"], c=[])
    assert bot.logged_events("database_is_newer") and errors(bot) == []
    assert await bot.terminate() == 0

    # And this version goes on; a change tells what was closed as well.
    bot = await world.start_new()
    await deployment.publish(avro_bbh(C, "INITIAL", 60))
    await deployment.wait_until_delivered(7)
    world.check(a=["INITIAL", "UPDATE"], b=["INITIAL"], c=["INITIAL"])
    answer = await world.ask("unsubscribe CBC", world.changed)
    assert "Unsubscribed" in answer, answer
    await wait_until(lambda: not world.open("kind = 'change'"), what="the report of both changes is posted")
    report = message_text(world.slack.messages(world.changed)[-1])
    assert "CBC" in report and "far&lt;1/month" in report, report
    said = [message_text(message) for message in world.slack.messages(world.night)]
    alerts = " ".join(text for text in said if not text.startswith("Subscribed"))
    assert alerts and "<@U2>" not in alerts, "nobody is woken hours later"
    for table in ("muted_threads", "observations"):
        assert deployment.query_database(f"select count(*) from {table}")[0][0] == 1, table
    assert await bot.terminate() == 0
    assert errors(bot) == []


def test_what_0_1_0_knows_is_what_its_code_says(old_python: Path) -> None:
    program = (
        "import json; from bot.store.ledger import Kind; from formatters.trouble import What;"
        "from bot.store.calls import CallKind; print(json.dumps([[*Kind], [*What], [*CallKind]]))"
    )
    said = subprocess.run(
        [str(old_python), "-c", program],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        cwd=old_python.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(said.stdout) == [DELIVERY_KINDS_OF_0_1_0, INCIDENT_KINDS_OF_0_1_0, CALL_KINDS_OF_0_1_0]
    assert {*DELIVERY_KINDS_OF_0_1_0} < {kind.value for kind in DeliveryKind}


def test_0_1_0_reads_the_subscriptions_that_a_rollback_leaves_to_it(old_python: Path) -> None:
    """Each condition that `prepare_rollback` takes for known is, and those that it doesn't aren't."""
    known = [f"CBC {quantity}>0.25" for quantity in sorted(QUANTITIES_OF_0_1_0)]
    known += [f"CBC {field}=x" for field in sorted(FIELDS_OF_0_1_0 - {"type", "group"})]
    known += ["all group=x", "CBC type=INITIAL", "CBC far<1/100yr V1 external near 10 10 5deg>0.1"]
    known += [
        'CBC ((BNS distance<150) or NSBH) visible from "MyDome 34.2N 116.9W 1700m">0.1 notify @here if BNS'
    ]
    unknown = [f"CBC {quantity}>0.25" for quantity in sorted(QUANTITIES.keys() - QUANTITIES_OF_0_1_0)]
    unknown += ["CBC criteria ours", "CBC grade ours", "CBC within 200Mpc>0.5", "CBC only mock"]
    unknown += ["CBC quiet BBH", "CBC notify @here escalate 5min <@U2>"]
    unknown += ["CBC notify @here if NS escalate 5min <@U2> 10min webhook"]
    unknown += [f"CBC {field}=x" for field in sorted({*FIELDS} - FIELDS_OF_0_1_0)]
    program = """
import json, sys
from bot.filters.wishes import parse_stored
def reads(words):
    try:
        parse_stored(words)
    except ValueError:
        return False
    return True
print(json.dumps([reads(words) for words in json.load(sys.stdin)]))
"""
    said = subprocess.run(
        [str(old_python), "-c", program],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        cwd=old_python.parent,
        input=json.dumps([*known, *unknown]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(said.stdout) == [True] * len(known) + [False] * len(unknown)
