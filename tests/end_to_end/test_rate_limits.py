"""Edits are scarce: one workspace, 300 channels, Slack's limits on, with a minute that is shorter."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bot.local_slack.server import LocalSlack
from bot.samples import to_avro
from formatters.models.notice import RETRACTION
from tests.support.app_harness import ORIGIN, AppHarness, open_app_harness
from tests.support.clock import Clock
from tests.support.factories import REAL, notice_record
from tests.support.messages import Json
from tests.support.waiting import wait_until

MINUTE = 3.0
"""Seconds; 50 edits in it."""
EDITS_A_MINUTE = 50
OTHER = "S261122b"


def avro(alert_type: str = "PRELIMINARY", minutes: float = 0, name: str = REAL) -> bytes:
    return to_avro(notice_record(name, alert_type, minutes))


def header(message: Json) -> str:
    return str(message["blocks"][0]["text"]["text"])


async def receive(app_harness: AppHarness, *bodies: bytes) -> None:
    for body in bodies:
        await app_harness.pipeline.handle(body, ORIGIN)


@pytest.mark.slow
async def test_300_channels_end_in_the_newest_state(tmp_path: Path) -> None:
    async with (
        LocalSlack(limits=True, minute=MINUTE) as local_slack,
        open_app_harness(tmp_path, local_slack, clock=Clock(runs=True), channel_pause_s=1.0) as app_harness,
    ):
        channels = await app_harness.create_subscribed_channels(300)
        await receive(app_harness, avro())
        await wait_until(
            lambda: all(app_harness.local_slack.messages(c) for c in channels), what="every root stands"
        )
        posts = app_harness.calls("chat.postMessage")
        # As fast as the limits allow: none was refused, none waited for an edit.
        assert Counter(call.outcome for call in posts) == {"ok": 300}
        assert not app_harness.calls("chat.update")

        await receive(app_harness, avro("PRELIMINARY", 5))
        await wait_until(
            lambda: any(c.outcome == "ratelimited" for c in app_harness.calls("chat.update")), what="limit"
        )
        await receive(app_harness, avro("INITIAL", 20), avro(name=OTHER))
        # The other event's roots go out while edits wait.
        await wait_until(
            lambda: all(any(OTHER in header(m) for m in app_harness.roots(c)) for c in channels),
            what="every channel has the other event",
        )
        behind = [c for c in channels if "INITIAL" not in header(app_harness.roots(c)[0])]
        assert len(behind) > 100, "most edits are still to come"
        await app_harness.wait_until_delivered()

        for channel in channels:
            first, other = app_harness.roots(channel)
            assert "INITIAL" in header(first) and REAL in header(first)
            assert OTHER in header(other)
            said = [
                m["blocks"][0]["text"]["text"].split(" · ")[0] for m in app_harness.replies(channel, first)
            ]
            assert said == ["*PRELIMINARY 2", "*INITIAL"]

        edits = app_harness.calls("chat.update")
        done = [call for call in edits if call.outcome == "ok"]
        shown: Counter[str] = Counter()
        for call in done:
            stage = "INITIAL" if "INITIAL" in call.args["blocks"][0]["text"]["text"] else "second"
            shown[stage] += 1
        assert shown["INITIAL"] == 300, "each root got the newest state once"
        # Nothing else but what went before the newest state was known, which is less than two minutes' share.
        assert 0 < shown["second"] <= 2 * EDITS_A_MINUTE
        refused = [call for call in edits if call.outcome == "ratelimited"]
        # Those in flight learn that a minute is full; on a slow machine a second lot is off by then.
        assert len(refused) <= 2 * 10 * (len(done) / EDITS_A_MINUTE + 2)
        assert {call.outcome for call in app_harness.calls("chat.postMessage")} == {"ok"}


@pytest.mark.slow
async def test_a_retractions_edits_come_before_others(tmp_path: Path) -> None:
    async with (
        LocalSlack(limits=True, minute=MINUTE) as local_slack,
        open_app_harness(tmp_path, local_slack, clock=Clock(runs=True), channel_pause_s=0.0) as app_harness,
    ):
        many = await app_harness.create_subscribed_channels(120)
        few = [local_slack.add_channel(f"few-{n}") for n in range(40)]
        for channel in few:
            await app_harness.subscribe(channel, "Burst")
        burst = notice_record(OTHER, "PRELIMINARY", group="Burst", classification={}, properties={})
        await receive(app_harness, avro(), to_avro(burst))
        await wait_until(
            lambda: all(app_harness.local_slack.messages(c) for c in [*many, *few]), what="every root stands"
        )
        await receive(app_harness, avro("INITIAL", 20))
        await wait_until(
            lambda: any(c.outcome == "ratelimited" for c in app_harness.calls("chat.update")), what="limit"
        )
        before = len([c for c in app_harness.calls("chat.update") if c.outcome == "ok"])
        await receive(app_harness, avro(RETRACTION, 30, name=OTHER))
        await app_harness.wait_until_delivered()
        later = [c for c in app_harness.calls("chat.update") if c.outcome == "ok"][before:]
        retracted = [n for n, c in enumerate(later) if "RETRACTED" in c.args["text"]]
        assert len(retracted) == 40
        # Those in flight when it came may be other ones.
        assert retracted[-1] < 40 + 10
        assert all(header(app_harness.root(c)).startswith("RETRACTED") for c in few)
        assert all("INITIAL" in header(app_harness.root(c)) for c in many)
