"""The line about a channel's sites never delays a post, and an edit brings it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from bot.observing import observability as mathematics
from bot.observing.observatories import find_site
from bot.samples import ms181101ab, to_avro
from bot.skymap_service import observability
from bot.skymaps.skymap import SkyMap
from bot.sources.base import Origin
from bot.store.outbox.models import DeliveryKind, DeliveryState
from formatters.blockkit.message import Message
from formatters.models.observing import Observability, ObservingConstraints, Site
from formatters.terminal import message_text
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import AUTHOR, NOW, TEAM, notice_record

LINE = "Sites, "
EVENT = ms181101ab(NOW)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Site]]:
    """The sites of each calculation, in order."""
    seen: list[Sequence[Site]] = []

    def look(
        skymap: SkyMap,
        sites: Sequence[Site],
        conditions: ObservingConstraints,
        now: datetime,
        **others: Any,
    ) -> Observability:
        seen.append(sites)
        return mathematics.observability_in_two_nights(skymap, sites, conditions, now, **others)

    monkeypatch.setattr(observability, "observability_in_two_nights", look)
    return seen


async def add(harness: DeliveryHarness, channel: str, *names: str) -> None:
    await harness.factory.sites.add(TEAM, channel, [find_site(name) for name in names], AUTHOR)


async def announce(harness: DeliveryHarness, *announced: Any) -> None:
    """Record notices with their maps, and wait until everything is posted."""
    for one in announced:
        await harness.pipeline().handle(to_avro(one), Origin("test", "1", live=True))
        await harness.wait_until_delivered()


def root(harness: DeliveryHarness, channel: str) -> str:
    """Return the text of the channel's first message."""
    message = next(m for m in harness.local_slack.messages(channel) if "channel's sites" not in m["text"])
    return message_text.render(Message(message["text"], tuple(message["blocks"])))


@pytest.mark.slow
async def test_the_words_come_first_and_the_line_by_an_edit(
    harness: DeliveryHarness, looks: list[Sequence[Site]]
) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC mock")
    await add(harness, channel, "Palomar", "VLA")
    await announce(harness, EVENT[1])
    [post] = [c for c in harness.calls("chat.postMessage", channel) if "channel's sites" not in str(c.args)]
    assert LINE not in str(post.args)
    assert re.search(LINE + r"\d+ \w+ \d\d:\d\d.UTC: VLA", root(harness, channel)) and "Palomar" in root(
        harness, channel
    )
    assert len(harness.calls("chat.update", channel)) == 1 and len(looks) == 1
    # The next map has its own line; a retraction none.
    await announce(harness, EVENT[3])
    assert len(looks) == 2 and LINE in root(harness, channel)
    await announce(harness, EVENT[-1])
    assert LINE not in root(harness, channel) and "RETRACTED" in root(harness, channel)
    assert len(looks) == 2


async def test_channels_with_the_same_sites_share_it(
    harness: DeliveryHarness, looks: list[Sequence[Site]]
) -> None:
    first, same, other, none = await harness.create_subscribed_channels(4, words="CBC mock")
    for channel in (first, same):
        await add(harness, channel, "Palomar", "Keck")
    await add(harness, other, "VLA")
    await announce(harness, EVENT[1])
    assert root(harness, first) == root(harness, same)
    assert "Keck" in root(harness, first) and "VLA" in root(harness, other)
    assert LINE not in root(harness, none) and harness.calls("chat.update", none) == []
    assert sorted([site.name for site in sites] for sites in looks) == [["Palomar", "Keck"], ["VLA"]]


async def test_a_failed_computation_posts_the_card_without_the_line(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Observability:
        raise ZeroDivisionError

    monkeypatch.setattr(observability, "observability_in_two_nights", broken)
    (channel,) = await harness.create_subscribed_channels(words="CBC mock")
    await add(harness, channel, "Palomar")
    await announce(harness, EVENT[1], EVENT[3])
    assert LINE not in root(harness, channel) and "INITIAL" in root(harness, channel)
    assert await harness.state(DeliveryKind.EDIT) == [DeliveryState.SENT.value]


async def test_without_a_map_there_is_no_line_and_no_edit(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC")
    await add(harness, channel, "Palomar")
    await announce(harness, notice_record())
    assert LINE not in root(harness, channel) and harness.calls("chat.update", channel) == []


async def test_an_edit_after_that_night_says_nothing_of_it(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC mock")
    await add(harness, channel, "Palomar")
    await announce(harness, EVENT[1])
    assert LINE in root(harness, channel)
    harness.clock.advance(hours=25)
    name = EVENT[1]["superevent_id"]
    await harness.factory.observers.toggle(TEAM, channel, name, "U0OBSERVER", harness.clock())
    harness.wake()
    await harness.wait_until_delivered()
    assert LINE not in root(harness, channel) and "U0OBSERVER" in root(harness, channel)


@pytest.mark.slow
async def test_a_crash_after_the_post_loses_no_line(harness: DeliveryHarness) -> None:
    """The edit that brings the line is stored in the same transaction as the post."""
    (channel,) = await harness.create_subscribed_channels(words="CBC mock")
    await add(harness, channel, "Palomar")
    # The channel hears of the new site first.
    await harness.wait_until_delivered()
    await harness.worker.stop()
    await harness.pipeline().handle(to_avro(EVENT[1]), Origin("test", "1", live=True))
    await harness.factory.leases.heartbeat({harness.local_slack.team_id})
    [delivery] = await harness.factory.outbox.claim(harness.clock(), 5)
    words = await harness.renderer()(delivery)
    assert words is not None and words.needs_follow_up_edit and LINE not in str(words.message.blocks)
    await harness.restart()
    await harness.wait_until_delivered()
    assert LINE in root(harness, channel)


async def test_the_line_uses_the_channels_constraints(harness: DeliveryHarness) -> None:
    strict, loose = await harness.create_subscribed_channels(2, words="CBC mock")
    for channel, altitude in ((strict, 85.0), (loose, 5.0)):
        await add(harness, channel, "VLA")
        await harness.factory.sites.set_conditions(
            TEAM, channel, ObservingConstraints(altitude=altitude), AUTHOR
        )
    await announce(harness, EVENT[1])
    assert "<1 % from VLA, this night and the next" in root(harness, strict)
    assert "VLA >99 %" in root(harness, loose)
