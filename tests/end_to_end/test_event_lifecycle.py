"""The life of an event: one thread, always true, whatever comes in whichever order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest

from bot.alerts.decode import decode
from bot.local_slack.server import LocalSlack
from bot.samples import all_sample_events, to_avro
from formatters.models.notice import RETRACTION, Notice
from tests.support.app_harness import (
    ORIGIN,
    AppHarness,
    check_golden,
    open_app_harness,
    plain_text,
    transcript,
)
from tests.support.bot_process import LocalDeployment
from tests.support.clock import NOW
from tests.support.factories import REAL, notice_record, unsubscribe
from tests.support.messages import Json
from tests.support.waiting import wait_until

REAL_NAMES = (
    "real/S230518h-Preliminary_alert.json",
    "real/S230518h-Initial_alert.json",
    "real/S241102br-preliminary.json",
    "real/S241102br-initial.json",
    "real/S241125n-INITIAL-RAVEN.json",
    "real/S241125n-UPDATE-RAVEN.json",
    "mock/MS230425k-preliminary.json",
    "mock/MS230425k-retraction.json",
    "mock/MS230425k-initial.json",
    "mock/MS230425l-preliminary.json",
    "mock/MS230425l-initial.json",
    "mock/MS230425m-preliminary.json",
    "mock/MS230425m-retraction.json",
)
MADE = ("bbh", "bns", "ms181101ab", "retracted", "ssm_coincidence")
WORDS = ("CBC", "all mock lowsig")
LONG_AGO = "500000"


@cache
def synthetic_notices() -> tuple[bytes, ...]:
    """Notices by formula: (stories one after the other) in order of time."""
    events = all_sample_events(NOW)
    records = [record for name in MADE for record in events[name]]
    records.sort(key=lambda record: str(record["time_created"]))
    return tuple(map(to_avro, records))


def real_notices(folder: Path) -> tuple[bytes, ...]:
    return tuple((folder / name).read_bytes() for name in REAL_NAMES)


@pytest.fixture
async def app_harness(tmp_path: Path) -> AsyncIterator[AppHarness]:
    async with (
        LocalSlack(limits=False, file_delay=0.0) as local_slack,
        open_app_harness(tmp_path, local_slack) as made,
    ):
        yield made


def avro(alert_type: str = "PRELIMINARY", minutes: float = 0, name: str = REAL, **facts: object) -> bytes:
    return to_avro(notice_record(name, alert_type, minutes, **facts))


def header_text(message: Json) -> str:
    return str(message["blocks"][0]["text"]["text"])


# Whole stories


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_real_notices_end_in_the_golden_states(
    deployment: LocalDeployment, shared_notices: Path, times: int
) -> None:
    channels = {words: deployment.local_slack.add_channel(words.replace(" ", "-").lower()) for words in WORDS}
    for words, channel in channels.items():
        await deployment.subscribe(channel, words)
    bot = deployment.start_forked(GWEVENT_MAX_AGE_HOURS=LONG_AGO, GWEVENT_MOCK_PICTURES="false")
    deployment.local_slack.ungrant("files:write")
    await bot.wait_until_ready()
    for count, body in enumerate(real_notices(shared_notices), start=1):
        await deployment.publish(*[body] * times)
        await deployment.wait_until_delivered(count)
    await wait_until(
        lambda: len(bot.logged_events("notice_repeated")) == (times - 1) * len(REAL_NAMES),
        what="repeats are known",
    )
    for words, channel in channels.items():
        check_golden(
            f"real-{words.replace(' ', '-').lower()}", transcript(deployment.local_slack.messages(channel))
        )
    assert await bot.terminate() == 0


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_made_notices_end_in_the_golden_states(app_harness: AppHarness, times: int) -> None:
    channels = {
        words: app_harness.local_slack.add_channel(words.replace(" ", "-").lower()) for words in WORDS
    }
    for words, channel in channels.items():
        await app_harness.subscribe(channel, words)
    for body in synthetic_notices():
        await app_harness.ingest(body)
        for _ in range(times - 1):
            await app_harness.pipeline.handle(body, ORIGIN)
        await app_harness.wait_until_delivered()
    for words, channel in channels.items():
        check_golden(
            f"made-{words.replace(' ', '-').lower()}", transcript(app_harness.local_slack.messages(channel))
        )


def roots_by_event(messages: Sequence[Json]) -> dict[str, Json]:
    """Roots by the superevent's id, which ends every header."""
    return {header_text(m).split(" · ")[-1]: m for m in messages if not m["thread_ts"]}


@dataclass
class EventHistory:
    """What came of one event, in the order in which it came."""

    times: list[tuple[datetime, bool]] = field(default_factory=list)
    """When it was sent, and whether it was a retraction."""
    opener: int | None = None
    """Which of them, from 0, found the event no longer or not yet retracted, and opened the root."""

    def add(self, notice: Notice) -> None:
        self.times.append((notice.time_created, notice.is_retraction))
        if self.opener is None and not max(self.times)[1]:
            self.opener = len(self.times) - 1


async def ingest_all(
    app_harness: AppHarness, bodies: Sequence[bytes]
) -> tuple[list[Json], dict[str, EventHistory]]:
    """Have notices come in this order; the channel's messages, and what came of each event."""
    (channel,) = await app_harness.create_subscribed_channels(words="all mock lowsig")
    came: defaultdict[str, EventHistory] = defaultdict(EventHistory)
    for body in bodies:
        notice = await asyncio.to_thread(decode, body)
        came[notice.superevent_id].add(notice)
        await app_harness.ingest(body)
    return app_harness.local_slack.messages(channel), came


async def shuffled(folder: Path, bodies: Sequence[bytes], seed: int) -> None:
    mixed = list(bodies)
    random.Random(seed).shuffle(mixed)
    ends: list[tuple[list[Json], dict[str, EventHistory]]] = []
    for order in (bodies, mixed):
        place = folder / str(len(ends))
        place.mkdir()
        async with (
            LocalSlack(limits=False) as local_slack,
            open_app_harness(place, local_slack) as app_harness,
        ):
            ends.append(await ingest_all(app_harness, order))
    (in_order, _), (messages, came) = ends
    wanted, roots = roots_by_event(in_order), roots_by_event(messages)
    assert len(roots) == len([m for m in messages if not m["thread_ts"]]), "one root an event"
    for name, one in came.items():
        if one.opener is None:
            assert name not in roots
            continue
        assert plain_text(roots[name]) == plain_text(wanted[name])
        replies = [m for m in messages if m["thread_ts"] == roots[name]["ts"]]
        assert len(replies) == len(one.times) - one.opener - 1
    assert roots.keys() == {name for name, one in came.items() if one.opener is not None}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_shuffled_real_notices_end_in_the_same_roots(
    tmp_path: Path, shared_notices: Path, seed: int
) -> None:
    await shuffled(tmp_path, real_notices(shared_notices), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_shuffled_made_notices_end_in_the_same_roots(tmp_path: Path, seed: int) -> None:
    await shuffled(tmp_path, synthetic_notices(), seed)


# One thing at a time


@pytest.mark.slow
async def test_a_late_notice_never_rolls_the_root_back(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await app_harness.ingest(avro("INITIAL", 20, far=1e-12))
    before = plain_text(app_harness.root(channel))
    app_harness.clock.advance(minutes=1)
    await app_harness.ingest(avro("PRELIMINARY", 0, far=1e-9))
    (late,) = app_harness.replies(channel)
    assert "Late: sent" in plain_text(late) and not late["broadcast"]
    assert plain_text(app_harness.root(channel)) == before.replace("Notice 1 of", "Notice 2 of")


@pytest.mark.slow
async def test_retraction_reaches_channels_that_saw_the_event(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await app_harness.ingest(avro())
    await app_harness.ingest(avro(RETRACTION, 30))
    root, (reply,) = app_harness.root(channel), app_harness.replies(channel)
    assert header_text(root).startswith("RETRACTED") and "Was: ~" in str(root["blocks"])
    assert reply["broadcast"] and "RETRACTED" in plain_text(reply)
    assert "Treasure Map" not in plain_text(root) and "I'm observing" not in plain_text(root)


@pytest.mark.slow
async def test_notice_after_a_retraction_revives_the_event(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await app_harness.ingest(avro())
    await app_harness.ingest(avro(RETRACTION, 30))
    await app_harness.ingest(avro("UPDATE", 40))
    _, reply = app_harness.replies(channel)
    assert "A candidate again" in plain_text(reply) and reply["broadcast"]
    assert "RETRACTED" not in plain_text(app_harness.root(channel))
    assert "I'm observing" in plain_text(app_harness.root(channel))


@pytest.mark.slow
async def test_a_root_not_yet_attempted_is_cancelled_by_a_retraction(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    client = app_harness.clients.pop(app_harness.local_slack.team_id)
    assert await app_harness.pipeline.handle(avro(), ORIGIN)
    assert await app_harness.pipeline.handle(avro(RETRACTION, 30), ORIGIN)
    app_harness.clients[app_harness.local_slack.team_id] = client
    await app_harness.wait_until_delivered()
    assert app_harness.local_slack.messages(channel) == [] and not app_harness.calls("chat.postMessage")
    await app_harness.ingest(avro("UPDATE", 40))
    assert "UPDATE" in header_text(app_harness.root(channel)), "revived, it is news to who never saw it"
    assert app_harness.replies(channel) == []


@pytest.mark.slow
async def test_unsubscribed_channel_gets_edits_but_no_replies(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await app_harness.ingest(avro())
    await unsubscribe(app_harness.factory, channel, team=app_harness.local_slack.team_id)
    await app_harness.wait_until_delivered()
    await app_harness.ingest(avro("INITIAL", 20))
    await app_harness.ingest(avro(RETRACTION, 30))
    root, told = app_harness.roots(channel)
    assert header_text(root).startswith("RETRACTED")
    assert "ended subscription 1" in told["text"], "nobody is unsubscribed in silence"
    assert app_harness.replies(channel, root) == []


@pytest.mark.slow
@pytest.mark.parametrize("replied", [False, True], ids=["alone", "with replies"])
async def test_deleted_root_is_reposted_at_the_next_notice(app_harness: AppHarness, replied: bool) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await app_harness.ingest(avro())
    if replied:
        await app_harness.ingest(avro("PRELIMINARY", 5))
    workspace, found = app_harness.local_slack.find(channel)
    old = app_harness.root(channel)
    workspace.delete(workspace.message(found, old["ts"]))
    # Neither an observer nor a picture brings it back.
    await app_harness.factory.observers.toggle(
        workspace.id, channel, REAL, app_harness.local_slack.user, app_harness.clock()
    )
    app_harness.worker.wake()
    await app_harness.wait_until_delivered()
    assert app_harness.roots(channel) == []
    await app_harness.ingest(avro("INITIAL", 20))
    root = app_harness.root(channel)
    assert root["ts"] != old["ts"] and "INITIAL" in header_text(root)
    assert app_harness.replies(channel) == []
    await app_harness.ingest(avro("UPDATE", 40))
    assert "UPDATE" in header_text(app_harness.root(channel))
    assert [plain_text(m).count("UPDATE") > 0 for m in app_harness.replies(channel)] == [True]


@pytest.mark.slow
async def test_a_root_that_cant_be_edited_has_its_state_in_the_channel(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await app_harness.ingest(avro())
    app_harness.local_slack.fail("chat.update", error="edit_window_closed", times=None)
    await app_harness.ingest(avro("INITIAL", 20))
    await app_harness.ingest(avro("UPDATE", 40))
    *_, told, last = app_harness.replies(channel)
    for message, stage in ((told, "INITIAL"), (last, "UPDATE")):
        assert message["broadcast"] and stage in header_text(message)
        assert "FAR" in plain_text(message) and "HasRemnant" in plain_text(message), "the whole state"
    assert len(app_harness.calls("chat.update")) == 1, "it isn't tried in vain again"


@pytest.mark.slow
async def test_a_channel_without_threads_gets_plain_messages(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await app_harness.ingest(avro())
    app_harness.local_slack.fail(
        "chat.postMessage", error="restricted_action_non_threadable_channel", channel=channel
    )
    await app_harness.ingest(avro("INITIAL", 20))
    root, plain = app_harness.roots(channel)
    assert "INITIAL" in header_text(root) and REAL in plain_text(plain) and "INITIAL" in plain_text(plain)


@pytest.mark.slow
async def test_important_replies_are_broadcast_except_for_mocks(app_harness: AppHarness) -> None:
    turned = {"BNS": 0.03, "NSBH": 0.01, "BBH": 0.95, "Terrestrial": 0.01}
    for name, words in ((REAL, "all"), (f"M{REAL}", "all mock")):
        (channel,) = await app_harness.create_subscribed_channels(words=words)
        for body in (
            avro(name=name),
            avro("PRELIMINARY", 5, name=name),
            avro("INITIAL", 10, name=name),
            avro("UPDATE", 20, name=name),
            avro("UPDATE", 30, name=name, classification=turned),
            avro(RETRACTION, 40, name=name),
            avro("UPDATE", 50, name=name),
        ):
            await app_harness.ingest(body)
        (root,) = [m for m in app_harness.roots(channel) if name in header_text(m).split(" · ")]
        shown = [m["broadcast"] for m in app_harness.replies(channel, root)]
        wanted = [False, True, False, True, True, True]
        assert shown == (wanted if name == REAL else [False] * 6)
