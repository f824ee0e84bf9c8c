"""The line about a channel's sites: never before the words, always after them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from bot.observing import observability as mathematics
from bot.observing.observatories import find_site
from bot.samples import ms181101ab, to_avro
from bot.skymap_service import observability
from bot.skymaps.skymap import SkyMap
from bot.sources import Origin
from bot.store.outbox.models import DeliveryKind, DeliveryState
from formatters.blockkit.message import Message
from formatters.models.observing import Observability, ObservingConstraints, Site
from formatters.terminal import message_text
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import AUTHOR, NOW, TEAM, notice_record

LINE = "Your sites tonight"
EVENT = ms181101ab(NOW)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Site]]:
    """The sites of each calculation, in order."""
    seen: list[Sequence[Site]] = []

    def look(
        skymap: SkyMap, sites: Sequence[Site], conditions: ObservingConstraints, now: datetime
    ) -> Observability:
        seen.append(sites)
        return mathematics.observability_tonight(skymap, sites, conditions, now)

    monkeypatch.setattr(observability, "observability_tonight", look)
    return seen


async def add(office: DeliveryHarness, channel: str, *names: str) -> None:
    await office.factory.sites.add(TEAM, channel, [find_site(name) for name in names], AUTHOR)


async def announce(office: DeliveryHarness, *announced: Any) -> None:
    """Hand made notices in, with their maps, and wait until all is posted."""
    for one in announced:
        await office.pipeline().handle(to_avro(one), Origin("test", "1", live=True))
        await office.wait_until_delivered()


def root(office: DeliveryHarness, channel: str) -> str:
    """What the channel's first message says."""
    message = next(m for m in office.local_slack.messages(channel) if "about its sites" not in m["text"])
    return message_text.render(Message(message["text"], tuple(message["blocks"])))


async def test_the_words_come_first_and_the_line_by_an_edit(
    office: DeliveryHarness, looks: list[Sequence[Site]]
) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC mock")
    await add(office, channel, "Palomar", "VLA")
    await announce(office, EVENT[1])
    [post] = [c for c in office.calls("chat.postMessage", channel) if "about its sites" not in str(c.args)]
    assert LINE not in str(post.args)
    assert f"{LINE}: VLA" in root(office, channel) and "Palomar" in root(office, channel)
    assert len(office.calls("chat.update", channel)) == 1 and len(looks) == 1
    # The next map has its own line; a retraction none.
    await announce(office, EVENT[3])
    assert len(looks) == 2 and LINE in root(office, channel)
    await announce(office, EVENT[-1])
    assert LINE not in root(office, channel) and "RETRACTED" in root(office, channel)
    assert len(looks) == 2


async def test_channels_with_the_same_sites_share_it(
    office: DeliveryHarness, looks: list[Sequence[Site]]
) -> None:
    first, same, other, none = await office.create_subscribed_channels(4, words="CBC mock")
    for channel in (first, same):
        await add(office, channel, "Palomar", "Keck")
    await add(office, other, "VLA")
    await announce(office, EVENT[1])
    assert root(office, first) == root(office, same)
    assert "Keck" in root(office, first) and "VLA" in root(office, other)
    assert LINE not in root(office, none) and office.calls("chat.update", none) == []
    assert sorted([site.name for site in sites] for sites in looks) == [["Palomar", "Keck"], ["VLA"]]


async def test_a_failed_computation_posts_the_card_without_the_line(
    office: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Observability:
        raise ZeroDivisionError

    monkeypatch.setattr(observability, "observability_tonight", broken)
    (channel,) = await office.create_subscribed_channels(words="CBC mock")
    await add(office, channel, "Palomar")
    await announce(office, EVENT[1], EVENT[3])
    assert LINE not in root(office, channel) and "INITIAL" in root(office, channel)
    assert await office.state(DeliveryKind.EDIT) == [DeliveryState.SENT.value]


async def test_without_a_map_there_is_no_line_and_no_edit(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC")
    await add(office, channel, "Palomar")
    await announce(office, notice_record())
    assert LINE not in root(office, channel) and office.calls("chat.update", channel) == []


async def test_an_edit_after_that_night_says_nothing_of_it(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels(words="CBC mock")
    await add(office, channel, "Palomar")
    await announce(office, EVENT[1])
    assert LINE in root(office, channel)
    office.clock.advance(hours=25)
    name = EVENT[1]["superevent_id"]
    await office.factory.observers.toggle(TEAM, channel, name, "U0OBSERVER", office.clock())
    office.wake()
    await office.wait_until_delivered()
    assert LINE not in root(office, channel) and "U0OBSERVER" in root(office, channel)


async def test_a_crash_after_the_post_loses_no_line(office: DeliveryHarness) -> None:
    """What the root lacks stands in the ledger, in the same transaction as the post."""
    (channel,) = await office.create_subscribed_channels(words="CBC mock")
    await add(office, channel, "Palomar")
    # The channel hears of the new site first.
    await office.wait_until_delivered()
    await office.worker.stop()
    await office.pipeline().handle(to_avro(EVENT[1]), Origin("test", "1", live=True))
    await office.factory.leases.heartbeat({office.local_slack.team_id})
    [delivery] = await office.factory.outbox.claim(office.clock(), 5)
    words = await office.renderer()(delivery)
    assert words is not None and words.needs_follow_up_edit and LINE not in str(words.message.blocks)
    await office.restart()
    await office.wait_until_delivered()
    assert LINE in root(office, channel)


async def test_the_line_uses_the_channels_constraints(office: DeliveryHarness) -> None:
    strict, loose = await office.create_subscribed_channels(2, words="CBC mock")
    for channel, altitude in ((strict, 85.0), (loose, 5.0)):
        await add(office, channel, "VLA")
        await office.factory.sites.set_conditions(
            TEAM, channel, ObservingConstraints(altitude=altitude), AUTHOR
        )
    await announce(office, EVENT[1])
    assert f"{LINE}: <1 % from VLA" in root(office, strict)
    assert f"{LINE}: VLA >99 %" in root(office, loose)
