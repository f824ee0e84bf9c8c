"""Whose messages channels want in their Follow-up replies."""

from __future__ import annotations

from bot.app.factory import Factory
from formatters.models.related_message import Stream
from tests.support.factories import AUTHOR, TEAM, subscribe, unsubscribe


async def test_the_streams_of_all_subscriptions_of_a_channel_count(factory: Factory) -> None:
    await subscribe(factory, "CBC streams icecube guano", "C1")
    await subscribe(factory, "Burst circulars", "C1", "C2")
    await subscribe(factory, "CBC", "C3")
    asked = [(TEAM, name) for name in ("C1", "C2", "C3", "C4")]
    assert await factory.stream_choices.for_channels(asked) == {
        (TEAM, "C1"): (Stream.CIRCULARS, Stream.ICECUBE, Stream.GUANO),
        (TEAM, "C2"): (Stream.CIRCULARS,),
    }


async def test_a_paused_subscription_counts_and_an_ended_one_does_not(factory: Factory) -> None:
    await subscribe(factory, "CBC circulars", "C1", "C2")
    await factory.subscriptions.pause(TEAM, "C1", 1, AUTHOR)
    await unsubscribe(factory, "C2")
    found = await factory.stream_choices.for_channels([(TEAM, "C1"), (TEAM, "C2")])
    assert found == {(TEAM, "C1"): (Stream.CIRCULARS,)}
