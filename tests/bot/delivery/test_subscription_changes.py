"""Every change of what a channel receives is stored and posted, whatever fails meanwhile."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from pathlib import Path

import pytest

import bot.store
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.commands.router import CommandRouter
from bot.filters import parse_criteria
from bot.local_slack.web_api.faults import Fault
from bot.observing.observatories import find_site
from bot.store import schema
from bot.store.channels.change_log import ChangeAuthor
from bot.store.outbox.models import DeliveryKind, DeliveryState
from formatters.models.channel_change import PAGE_SIZE, ChannelChange, SubscriptionState
from formatters.models.observing import ChannelSites
from formatters.models.subscription import number_with_fingerprint
from formatters.terminal import message_text
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import AUTHOR, NOW, TEAM, subscribe, unsubscribe

BOTH = pytest.mark.backends("sqlite", "postgresql")
States = dict[int, tuple[str, bool]]
"""Number -> (canonical text, is paused)."""


def answers(harness: DeliveryHarness) -> CommandRouter:
    return harness.factory.create_command_router(harness.clock, wakeups=harness.wakeups)


def asker(channel: str, user: str = "U0ASKER") -> CommandContext:
    return CommandContext(TEAM, channel, user)


async def run_command(harness: DeliveryHarness, channel: str, words: str, user: str = "U0ASKER") -> str:
    return message_text.render(await answers(harness).dispatch(words, asker(channel, user)))


async def states(factory: Factory, channel: str) -> States:
    here = await factory.subscriptions.for_channel(TEAM, channel)
    return {s.number: (s.criteria.canonical, s.paused_at is not None) for s in here}


async def replayed(factory: Factory, channel: str) -> tuple[States, ChannelSites, int]:
    """Replay a channel's history; return its subscriptions, its sites, and the history's length."""
    changes: list[ChannelChange] = []
    total = -1
    # The worker notes what it confirms meanwhile: read again until nothing came between two pages.
    while len(changes) != total:
        _, total = await factory.subscriptions.history(TEAM, channel, 1)
        changes = [
            change
            for page in range(-(-total // PAGE_SIZE), 0, -1)
            for change in reversed((await factory.subscriptions.history(TEAM, channel, page))[0])
        ]
    found: States = {}
    sites = ChannelSites()
    for change in changes:
        if change.criteria_set is not None:
            continue
        if change.number is None:
            assert isinstance(change.before, ChannelSites) and isinstance(change.after, ChannelSites)
            assert change.before == sites, "each begins where the one before ended"
            sites = change.after
            continue
        before, after = change.before, change.after
        assert isinstance(before, SubscriptionState | None) and isinstance(after, SubscriptionState | None)
        if before is not None and change.number in found:
            assert found[change.number] == (before.canonical, before.is_paused)
        found.pop(change.number, None)
        if after is not None:
            found[change.number] = (after.canonical, after.is_paused)
    return found, sites, total


def last_said(harness: DeliveryHarness, channel: str) -> dict[int, str]:
    """Return, by number, the first line of the last post about each subscription."""
    found: dict[int, str] = {}
    for message in harness.local_slack.messages(channel):
        for block in message["blocks"]:
            for text in (
                (block.get("text") or {}).get("text"),
                *(e["text"] for e in block.get("elements", ())),
            ):
                line = str(text or "").split("\n", 1)[0]
                confirms = re.search(r"To stop: `/gwevent unsubscribe (\d+)`", line)
                changes = re.search(r"(?:ended|added|changed|paused|resumed) subscription (\d+)", line)
                if confirms:
                    found[int(confirms[1])] = message["blocks"][0]["text"]["text"].split("\n", 1)[0]
                elif changes:
                    found[int(changes[1])] = line
    return found


async def assert_history_is_true(harness: DeliveryHarness, channel: str) -> None:
    """Assert that the last post about each subscription is true."""
    now = await states(harness.factory, channel)
    told = last_said(harness, channel)
    assert now.keys() <= told.keys(), "nothing is in force of which the channel doesn't know"
    for number, line in told.items():
        if number not in now:
            assert "ended" in line, line
            continue
        words, paused = now[number]
        assert parse_criteria(words).silent_mrkdwn in line or parse_criteria(words).mrkdwn in line, (
            line,
            words,
        )
        assert "ended" not in line
        assert ("paused" in line.replace("It was paused and is active", "")) is paused, (line, paused)


@pytest.mark.slow
@BOTH
async def test_each_change_is_posted_with_who_made_it_and_how_to_bring_it_back(
    harness: DeliveryHarness,
) -> None:
    channel = harness.create_channels(1)[0]
    steps = [
        ("subscribe CBC mock", "unsubscribe 1"),
        ("pause 1", "/gwevent resume 1"),
        ("resume 1", "/gwevent pause 1"),
        ("edit 1 Burst notify <@U0OTHER>", "/gwevent edit 1 CBC mock"),
        ("sites add MyDome 34.2 -116.9 1700", "/gwevent sites remove MyDome"),
        ("sites altitude 25", "/gwevent sites altitude 30"),
        ("sites remove MyDome", "/gwevent sites add MyDome 34.2 -116.9 1700"),
        ("unsubscribe 1", "/gwevent subscribe Burst notify &lt;@U0OTHER&gt;"),
    ]
    for number, (words, back) in enumerate(steps, start=1):
        await run_command(harness, channel, words, f"U{number}")
        harness.advance(minutes=1)
        await harness.wait_until_delivered()
        posts = harness.local_slack.messages(channel)
        assert len(posts) == number, words
        assert f"<@U{number}>" in str(posts[-1]["blocks"]) and back in str(posts[-1]["blocks"]), words
        assert "<@U0OTHER>" not in str(posts[-1]), "a post about a change wakes nobody else"
    found, sites, total = await replayed(harness.factory, channel)
    assert (found, sites.sites, total) == ({}, (), len(steps))
    assert sites.constraints.altitude == 25
    # What they say brings it back does.
    for words in ("subscribe Burst notify <@U0OTHER>", "sites add MyDome 34.2 -116.9 1700"):
        await run_command(harness, channel, words)
    assert await states(harness.factory, channel) == {2: ("Burst notify <@U0OTHER>", False)}


async def test_what_changes_nothing_is_neither_kept_nor_posted(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await run_command(harness, channel, "sites add Palomar")
    for words in ("pause 1", "sites add Palomar", "pause 1", "pause 7", "edit 1 CBC", "edit 9 CBC"):
        await run_command(harness, channel, words)
    for words in ("sites altitude 30", "unsubscribe 9", "unsubscribe", "subscribe CBC", "resume 2"):
        await run_command(harness, channel, words)
    _, _, total = await replayed(harness.factory, channel)
    assert total == 3, "put in force, its site, paused"


async def test_who_presses_again_and_again_fills_no_channel(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    for number in range(41):
        await run_command(harness, channel, "resume 1" if number % 2 else "pause 1", f"U{number % 3}")
        harness.advance(seconds=0.5)
    harness.advance(minutes=1)
    await harness.wait_until_delivered()
    await harness.run_rounds()
    assert len(harness.texts(channel)) <= 2
    await assert_history_is_true(harness, channel)
    assert (await replayed(harness.factory, channel))[2] == 42, "each is kept"


async def test_subscription_change_is_posted_once_an_archived_channel_is_back(
    harness: DeliveryHarness,
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.archive(channel)
    await run_command(harness, channel, "unsubscribe 1", "U0ASKER")
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [] and await harness.state(DeliveryKind.CHANGE) == ["dead"]
    harness.advance(days=5)
    harness.local_slack.unarchive(channel)
    now = harness.clock()
    await harness.factory.outbox.requeue_channel(TEAM, channel, now - timedelta(hours=24), now)
    harness.worker.wake()
    await harness.wait_until_delivered()
    (told,) = harness.texts(channel)
    assert "ended subscription 1" in told
    assert "2026-11-22 12:00" in str(harness.local_slack.messages(channel)[0]["blocks"]), "when it was"


async def test_an_undeliverable_change_is_posted_with_the_next_one(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await subscribe(harness.factory, "Burst", channel)
    harness.local_slack.archive(channel)
    await run_command(harness, channel, "unsubscribe 1", "U0FIRST")
    await harness.wait_until_delivered()
    harness.local_slack.unarchive(channel)
    assert harness.texts(channel) == []
    await run_command(harness, channel, "pause 2", "U0SECOND")
    harness.advance(minutes=1)
    await harness.wait_until_delivered()
    harness.advance(minutes=1)
    await harness.wait_until_delivered()
    (told,) = harness.texts(channel)
    assert "<@U0FIRST> ended subscription 1" in told and "<@U0SECOND> paused subscription 2" in told


async def test_subscription_change_is_posted_once_the_workspace_token_works_again(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    monkeypatch.setattr("bot.delivery.rate_control.RateControl._pause", lambda *_: None)
    harness.local_slack.fail("chat.postMessage", error="token_revoked", times=2)
    await run_command(harness, channel, "pause 1")
    await harness.wait_for_retry("token_revoked")
    harness.advance(days=3)
    await harness.wait_until(lambda: _attempted(harness, 2))
    harness.advance(minutes=10)
    await harness.wait_until_delivered()
    (told,) = harness.texts(channel)
    assert "paused subscription 1" in told


async def _attempted(harness: DeliveryHarness, times: int) -> bool:
    return [row.attempts for row in await harness.rows(kind=DeliveryKind.CHANGE.value, state="pending")] == [
        times
    ]


async def test_unsubscribing_while_the_confirmation_is_in_flight(harness: DeliveryHarness) -> None:
    (channel,) = harness.create_channels(1)
    harness.local_slack.faults.add(Fault("chat.postMessage", delay=0.3))
    asked, _ = await harness.factory.subscriptions.request(
        TEAM, channel, parse_criteria("CBC"), "U0P", harness.clock()
    )
    harness.worker.wake()

    async def under_way() -> bool:
        return await harness.state(DeliveryKind.CONFIRMATION) == ["sending"]

    await harness.wait_until(under_way)
    await unsubscribe(harness.factory, channel)
    await harness.wait_until_delivered()
    confirmed, ended = harness.texts(channel)
    assert "Subscribed" in confirmed and "ended subscription 1" in ended
    assert await harness.factory.subscriptions.get(asked.id) is None
    await assert_history_is_true(harness, channel)


async def test_abandoned_confirmation_that_may_have_been_posted_is_withdrawn(
    harness: DeliveryHarness,
) -> None:
    (channel,) = harness.create_channels(1)
    harness.local_slack.fail("chat.postMessage", drop="after")
    await harness.factory.subscriptions.request(TEAM, channel, parse_criteria("CBC"), "U0P", harness.clock())
    harness.worker.wake()

    async def doubtful() -> bool:
        return bool(await harness.rows(doubtful=1, state=DeliveryState.PENDING.value))

    await harness.wait_until(doubtful)
    harness.local_slack.archive(channel)
    harness.advance(minutes=5)
    await harness.wait_until_delivered()
    assert await states(harness.factory, channel) == {}
    harness.local_slack.unarchive(channel)
    await harness.factory.outbox.requeue_channel(TEAM, channel, harness.clock(), harness.clock())
    harness.worker.wake()
    await harness.wait_until_delivered()
    assert len(harness.texts(channel)) == 2
    await assert_history_is_true(harness, channel)


async def test_late_change_post_shows_the_current_state(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    monkeypatch.setattr("bot.delivery.retry_policy.backoff_s", lambda *_: 100.0)
    harness.local_slack.faults.add(Fault("chat.postMessage", delay=0.3, error="internal_error"))
    await run_command(harness, channel, "pause 1")

    async def under_way() -> bool:
        return await harness.state(DeliveryKind.CHANGE) == ["sending"]

    await harness.wait_until(under_way)
    await run_command(harness, channel, "resume 1")
    await harness.wait_for_retry("internal_error")
    harness.advance(seconds=40)
    await harness.wait_until(lambda: _posted(harness, channel, 1))
    harness.advance(seconds=100)
    await harness.wait_until_delivered()
    assert len(harness.texts(channel)) == 2, "the first one came last"
    await assert_history_is_true(harness, channel)


@pytest.mark.slow
async def test_attempted_post_takes_no_further_changes(harness: DeliveryHarness) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", drop="after")
    await run_command(harness, channel, "pause 1")

    async def doubtful() -> bool:
        return bool(await harness.rows(doubtful=1, state=DeliveryState.PENDING.value))

    await harness.wait_until(doubtful)
    await run_command(harness, channel, "resume 1")
    harness.advance(minutes=1)
    await harness.wait_until_delivered()
    harness.advance(minutes=1)
    await harness.wait_until_delivered()
    assert len(harness.texts(channel)) == 2, "found again, not posted again"
    await assert_history_is_true(harness, channel)


async def _posted(harness: DeliveryHarness, channel: str, count: int) -> bool:
    return len(harness.texts(channel)) == count


@pytest.mark.slow
async def test_import_and_the_tools_leave_no_gap(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.factory.sites.add(TEAM, channel, [find_site("Palomar")], AUTHOR)
    given = await harness.factory.channel_transfer.export()
    await unsubscribe(harness.factory, channel)
    await harness.factory.sites.remove(TEAM, channel, "Palomar", AUTHOR)
    await harness.factory.channel_transfer.import_channels(given, harness.clock())
    found, sites, _ = await replayed(harness.factory, channel)
    assert found == await states(harness.factory, channel) == {1: ("CBC", False)}
    assert sites == await harness.factory.sites.for_channel(TEAM, channel) and sites.sites


@BOTH
async def test_subscription_history_is_purged_unless_still_to_be_posted(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    old = ChangeAuthor("U1", NOW - timedelta(days=500))
    await factory.subscriptions.pause(TEAM, "C1", 1, old)
    assert await factory.retention.purge_changes(NOW - timedelta(days=400)) == 0, "it is still to be posted"
    async with factory.database.exclusive_transaction() as connection:
        table = schema.deliveries
        await connection.execute(table.update().values(state=DeliveryState.SENT.value))
    assert await factory.retention.purge_changes(NOW - timedelta(days=400)) == 1
    assert (await factory.subscriptions.history(TEAM, "C1", 1))[1] == 1


# Whatever people do, in any order, and whatever fails meanwhile

WORDS = ("CBC", "Burst", "all mock", "CBC BNS>0.5 notify @here", "all lowsig notify <@U0OTHER>")


class Crowd:
    """Changes channels at random, all from one seed."""

    def __init__(self, harness: DeliveryHarness, channels: list[str], seed: int) -> None:
        self.harness = harness
        self.channels = channels
        self.random = random.Random(seed)
        self.buttons: list[tuple[str, str]] = []

    async def act(self) -> None:
        channel = self.random.choice(self.channels)
        number = self.random.randint(1, 6)
        words = self.random.choice(WORDS)
        kept = self.random.choice(self.buttons) if self.buttons else (channel, "1@00000000")
        here = await self.harness.factory.subscriptions.for_channel(TEAM, channel)
        self.buttons += [(channel, number_with_fingerprint(s)) for s in here[:1]]
        choices: list[tuple[str, str]] = [
            *[(channel, f"subscribe {words}")] * 3,
            *[(channel, f"{word} {number}") for word in ("pause", "resume", "pause", "resume")],
            *[(channel, f"edit {number} {words}")] * 2,
            (channel, f"unsubscribe {number}"),
            (channel, f"unsubscribe {number} {self.random.randint(1, 6)}"),
            (channel, f"unsubscribe {words}"),
            (channel, "unsubscribe"),
            (channel, "unsubscribe all"),
            (kept[0], f"unsubscribe {kept[1]}"),
            (channel, "sites add Palomar"),
            (channel, "sites remove Palomar"),
            (channel, f"sites altitude {self.random.randint(20, 22)}"),
        ]
        place, question = self.random.choice(choices)
        await run_command(self.harness, place, question, self.random.choice(["U1", "U2", "U3"]))

    async def mishap(self) -> None:
        match self.random.randint(0, 9):
            case 0:
                await self.harness.restart()
            case 1:
                self.harness.local_slack.fail(
                    "chat.postMessage", drop=self.random.choice(["before", "after"])
                )
            case 2:
                self.harness.local_slack.fail("chat.postMessage", error="internal_error")
            case 3:
                self.harness.local_slack.fail("chat.postMessage", status=429, retry_after=1)
            case 4:
                self.harness.local_slack.faults.add(Fault("chat.postMessage", delay_after=0.05))
        self.harness.advance(seconds=self.random.choice([0, 0, 1, 5, 40]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_every_generated_change_is_in_history_and_channel(
    harness: DeliveryHarness, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.commands.subscription_service.CONFIRMATION_TIMEOUT_S", 0.2)
    if seed % 2:
        harness.local_slack.grant("channels:history")
    channels = harness.create_channels(2)
    crowd = Crowd(harness, channels, seed)
    for _ in range(40):
        before = [await _all(harness.factory, channel) for channel in channels]
        await crowd.act()
        for channel, was in zip(channels, before, strict=True):
            now = await _all(harness.factory, channel)
            found, sites, _ = await replayed(harness.factory, channel)
            # A confirmation may have come in between; then the history has it too.
            if await _all(harness.factory, channel) == now:
                assert (found, sites) == now[:2], (was, now)
        await crowd.mishap()
    harness.local_slack.faults.clear()
    for _ in range(8):
        harness.advance(minutes=6)
        await harness.run_rounds()
    await harness.wait_until_delivered()
    for channel in channels:
        found, sites, _ = await replayed(harness.factory, channel)
        assert (found, sites) == (await _all(harness.factory, channel))[:2]
        await assert_history_is_true(harness, channel)


async def _all(factory: Factory, channel: str) -> tuple[States, ChannelSites]:
    return await states(factory, channel), await factory.sites.for_channel(TEAM, channel)


WRITES = re.compile(r"\b(?:insert|update|delete)\((?:schema\.)?(\w+)\)")
WRITERS = {
    "subscriptions.py",
    "sites.py",
    "bulk_transfer.py",
    "subscription_numbers.py",
    "installations.py",
    "channel_moves.py",
    "criteria_sets.py",
    "rollback.py",
}
"""Modules that may write to what channels receive. Each notes its changes, except numbers, a channel's other
id, and a workspace that took the app away, of which nothing is kept."""


def written_tables(source: str) -> set[str]:
    """Return the tables that a module inserts into, updates or deletes from, by the names in the schema."""
    names = dict(re.findall(r"(\w+) = schema\.(\w+)", source))
    for left, right in re.findall(
        r"^\s*(\w+(?:, \w+)+) = (schema\.\w+(?:, schema\.\w+)+)$", source, re.MULTILINE
    ):
        names |= zip(left.split(", "), right.replace("schema.", "").split(", "), strict=True)
    return {names.get(name, name) for name in WRITES.findall(source)}


@pytest.mark.parametrize(
    "source",
    [
        "_s = schema.subscriptions\nupdate(_s)",
        "    table, other = schema.subscriptions, schema.threads\n    delete(table)",
        "insert(schema.subscriptions)",
    ],
)
def test_a_write_is_seen_however_the_table_is_named(source: str) -> None:
    assert written_tables(source) == {"subscriptions"}


def test_only_listed_modules_write_subscription_tables() -> None:
    watched = {"subscriptions", "channel_sites", "channel_conditions", "criteria_sets"}
    modules = (Path(bot.store.__file__).parent).rglob("*.py")
    writers = {
        path.name
        for path in modules
        if "migrations" not in path.parts and written_tables(path.read_text("utf-8")) & watched
    }
    assert {"subscriptions.py", "sites.py"} <= writers <= WRITERS
