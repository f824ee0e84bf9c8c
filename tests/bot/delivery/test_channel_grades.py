"""Grades of a channel's criteria sets: never before the words, and never instead of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.delivery import channel_grades
from bot.samples import Record, ms181101ab, to_avro
from bot.skymap_service import grading
from bot.sources.base import Origin
from bot.store.database import StoreUnavailable
from bot.store.outbox.models import DeliveryKind, DeliveryState
from formatters.blockkit.message import Message
from formatters.models.criteria_set import CriteriaSet
from formatters.models.notice import Distance, Notice
from formatters.models.superevent import Superevent
from formatters.terminal import message_text
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import MOCK, NOW, decoded_notice
from tests.support.filter_strategies import SKY
from tests.support.grading import NTT, RUBIN, ChosenSets, EveryDetail, SteeredGrading

FIRST = decoded_notice()
BBH: dict[str, Any] = {"classification": {"BBH": 0.99, "Terrestrial": 0.01}, "properties": {}}
"""Facts whose INITIAL isn't broadcast for itself."""


@dataclass
class Graded:
    """A running worker whose channels chose sets."""

    harness: DeliveryHarness
    sets: ChosenSets
    grading: SteeredGrading

    async def announce(self, *notices: Notice) -> None:
        """Record notices one after the other, each delivered before the next."""
        for notice in notices:
            await self.harness.record_notices(notice)
            await self.harness.wait_until_delivered()

    def root(self, channel: str) -> str:
        return self.messages(channel)[0]

    def messages(self, channel: str) -> list[str]:
        """Return the channel's messages as people read them, replies after the root."""
        return [
            message_text.render(Message(message["text"], tuple(message["blocks"])))
            for message in self.harness.local_slack.messages(channel)
        ]

    def posts(self, channel: str) -> list[dict[str, object]]:
        return [dict(call.args) for call in self.harness.calls("chat.postMessage", channel)]


def by_stage(**grades: str) -> SteeredGrading:
    """Return a grading by the alert type of the newest notice that has an event; else no grade."""

    def grade_of(_: CriteriaSet, superevent: Superevent) -> str | None:
        known = superevent.latest_with_event
        return None if known is None else grades.get(known.alert_type)

    return SteeredGrading(grade_of)


@pytest.fixture
async def graded(stopped_harness: DeliveryHarness) -> Graded:
    """A worker with `by_stage` PRELIMINARY Silver, INITIAL Gold, UPDATE Silver."""
    grading = by_stage(PRELIMINARY="Silver", INITIAL="Gold", UPDATE="Silver")
    made = Graded(stopped_harness, ChosenSets(), grading)
    stopped_harness.factory.criteria_sets = made.sets  # type: ignore[assignment]
    stopped_harness.factory.card_details = EveryDetail()  # type: ignore[assignment]
    stopped_harness.factory.grading = made.grading  # type: ignore[assignment]
    stopped_harness.start()
    return made


async def subscribed(graded: Graded, *sets: CriteriaSet, count: int = 1) -> list[str]:
    channels = await graded.harness.create_subscribed_channels(count, words="CBC mock")
    graded.sets.by_channel |= dict.fromkeys(channels, sets)
    return channels


async def test_a_set_without_map_conditions_stands_in_the_first_post(graded: Graded) -> None:
    (channel,) = await subscribed(graded, NTT)
    await graded.announce(FIRST)
    [post] = graded.posts(channel)
    assert "ntt-kilonova: Silver" in str(post["blocks"]) and "ntt-kilonova: Silver" in str(post["text"])
    assert graded.harness.calls("chat.update", channel) == []


async def test_what_needs_the_map_comes_by_an_edit(graded: Graded) -> None:
    graded.grading.needs_map = {"rubin-2026"}
    (channel,) = await subscribed(graded, NTT, RUBIN)
    await graded.harness.record_notices(FIRST)

    async def posted() -> bool:
        return bool(graded.posts(channel))

    await graded.harness.wait_until(posted)
    [post] = graded.posts(channel)
    assert "ntt-kilonova: Silver" in str(post["blocks"])
    assert "rubin-2026: undecided" in str(post["blocks"]) and "rubin-2026" not in str(post["text"])
    graded.grading.measured.set()
    await graded.harness.wait_until_delivered()
    assert "rubin-2026: would be Silver" in graded.root(channel)
    assert len(graded.harness.calls("chat.update", channel)) == 1


async def test_channels_with_equal_sets_share_a_measurement(graded: Graded) -> None:
    graded.grading.needs_map = {"rubin-2026"}
    graded.grading.measured.set()
    same = await subscribed(graded, RUBIN, count=3)
    await graded.announce(FIRST)
    assert graded.grading.judged == [("rubin-2026", 1)]
    assert all("would be Silver" in graded.root(channel) for channel in same)


async def test_a_root_posted_after_the_measurement_needs_no_edit(graded: Graded) -> None:
    graded.grading.needs_map = {"rubin-2026"}
    grades = channel_grades.ChannelGrades(ChosenSets(), graded.grading)
    superevent = Superevent.from_notices([FIRST])
    assert grades.at_once((RUBIN,), superevent).is_preliminary
    assert grades.at_once((RUBIN,), superevent).is_preliminary
    graded.grading.measured.set()
    judged = await grades.judge((RUBIN,), superevent)
    assert grades.at_once((RUBIN,), superevent) == channel_grades.GradesAtOnce(judged)


async def test_many_channels_ask_for_their_sets_in_few_queries(graded: Graded) -> None:
    await subscribed(graded, NTT, count=6)
    await graded.announce(FIRST)
    assert graded.sets.queries < 6


async def test_a_reply_says_the_change_and_a_rise_goes_to_the_channel(graded: Graded) -> None:
    graded_channel, plain = await subscribed(graded, NTT, RUBIN, count=2)
    del graded.sets.by_channel[plain]
    await graded.announce(
        decoded_notice(**BBH),
        decoded_notice(alert_type="INITIAL", minutes=20, **BBH),
        decoded_notice(alert_type="UPDATE", minutes=40, **BBH),
    )
    _, initial, update = graded.posts(graded_channel)
    assert initial["reply_broadcast"] is True
    assert "ntt-kilonova: Silver → Gold" in str(initial["text"])
    assert "rubin-2026: would be Silver → Gold (INITIAL)" in str(initial["text"])
    # It falls: that is said, but wakes nobody.
    assert "ntt-kilonova: Gold → Silver" in str(update["text"]) and not update.get("reply_broadcast")
    _, initial, _ = graded.posts(plain)
    assert "ntt" not in str(initial) and not initial.get("reply_broadcast")


async def test_replies_of_mocks_are_never_broadcast(graded: Graded) -> None:
    (channel,) = await subscribed(graded, NTT)
    await graded.announce(decoded_notice(MOCK), decoded_notice(MOCK, "INITIAL", 20))
    _, reply = graded.posts(channel)
    assert "Silver → Gold" in str(reply["text"]) and not reply.get("reply_broadcast")


async def test_a_late_notice_claims_no_change_and_is_not_broadcast(graded: Graded) -> None:
    (channel,) = await subscribed(graded, NTT)
    await graded.announce(decoded_notice(**BBH))
    await graded.announce(decoded_notice(alert_type="UPDATE", minutes=40, **BBH))
    graded.harness.clock.advance(minutes=50)
    await graded.announce(decoded_notice(alert_type="INITIAL", minutes=20, **BBH))
    late = graded.posts(channel)[-1]
    assert "Late: " in str(late["text"]) and "ntt" not in str(late["text"])
    assert not late.get("reply_broadcast")


async def test_a_late_initial_that_decides_says_its_grade(harness: DeliveryHarness) -> None:
    """Its trigger is news, whatever came before it, and the card's edit alone wakes nobody."""
    (channel,) = await harness.create_subscribed_channels(words="CBC criteria tarot lasair")
    shown = Graded(harness, ChosenSets(), by_stage())
    far = replace(SKY, distance=Distance(mean=900.0, std=90.0))
    await shown.announce(replace(FIRST, localization=SKY))
    await shown.announce(replace(decoded_notice(alert_type="UPDATE", minutes=40), localization=far))
    harness.clock.advance(minutes=50)
    await shown.announce(replace(decoded_notice(alert_type="INITIAL", minutes=20), localization=SKY))
    late = shown.posts(channel)[-1]
    change = "tarot: would not trigger → Trigger (INITIAL); its numbers now: no grade, not re-triggered"
    assert "Late: " in str(late["text"]) and change in str(late["text"]) and "lasair" not in str(late["text"])
    assert late["reply_broadcast"] is True


async def test_a_retraction_ends_the_grade_on_the_card_and_in_the_reply(graded: Graded) -> None:
    (channel,) = await subscribed(graded, RUBIN)
    await graded.announce(
        FIRST,
        decoded_notice(alert_type="INITIAL", minutes=20),
        decoded_notice(alert_type="RETRACTION", minutes=30),
    )
    assert "rubin-2026: Gold ended by the retraction" in graded.root(channel)
    assert "rubin-2026: Gold ended by the retraction" in str(graded.posts(channel)[-1]["text"])


async def test_a_defect_in_grading_is_said_and_keeps_no_word_back(
    stopped_harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(grading, "grade", broken)
    graded = Graded(stopped_harness, ChosenSets(), by_stage())
    stopped_harness.factory.criteria_sets = graded.sets  # type: ignore[assignment]
    stopped_harness.factory.card_details = EveryDetail()  # type: ignore[assignment]
    stopped_harness.start()
    (channel,) = await subscribed(graded, NTT)
    await graded.announce(FIRST, decoded_notice(alert_type="INITIAL", minutes=20))
    assert "INITIAL" in graded.root(channel) and "ntt-kilonova: undecided" in graded.root(channel)
    assert len(graded.posts(channel)) == 2
    assert await graded.harness.state(DeliveryKind.REPLY) == [DeliveryState.SENT.value]
    logged = capsys.readouterr().out
    assert "unexpected_error" in logged and "ZeroDivisionError" in logged


async def test_sets_that_cannot_be_read_keep_no_word_back(
    graded: Graded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (channel,) = await subscribed(graded, NTT)

    async def broken(_: object) -> dict[tuple[str, str], tuple[CriteriaSet, ...]]:
        raise KeyError("a set of another version")

    sets = channel_grades.ChannelGrades(ChosenSets(), graded.grading)
    monkeypatch.setattr(sets._load_sets, "_load", broken)
    assert await sets.sets(("T1", channel)) == ()
    assert "unexpected_error" in capsys.readouterr().out


async def test_a_defect_that_even_the_outcome_of_a_failure_meets_keeps_no_word_back(
    stopped_harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("bot.criteria.grading._judged_notice", broken)
    graded = Graded(stopped_harness, ChosenSets(), by_stage())
    stopped_harness.factory.criteria_sets = graded.sets  # type: ignore[assignment]
    stopped_harness.factory.card_details = EveryDetail()  # type: ignore[assignment]
    stopped_harness.start()
    (channel,) = await subscribed(graded, NTT)
    await graded.announce(FIRST, decoded_notice(alert_type="INITIAL", minutes=20))
    assert "INITIAL" in graded.root(channel) and "ntt-kilonova" not in graded.root(channel)
    assert len(graded.posts(channel)) == 2
    assert "unexpected_error" in capsys.readouterr().out


async def test_an_unreachable_database_is_tried_again(graded: Graded) -> None:
    graded.grading.error = StoreUnavailable("gone")
    grades = channel_grades.ChannelGrades(ChosenSets(), graded.grading)
    superevent = Superevent.from_notices([FIRST])
    with pytest.raises(StoreUnavailable):
        await grades.judge((NTT,), superevent)


async def test_a_judgement_that_hangs_delays_an_edit_no_longer_than_its_limit(
    graded: Graded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(channel_grades, "TIME_LIMIT_S", 0.05)
    graded.grading.needs_map = {"rubin-2026"}
    grades = channel_grades.ChannelGrades(ChosenSets(), graded.grading)
    superevent = Superevent.from_notices([FIRST])
    async with asyncio.timeout(5):
        [outcome] = await grades.judge((RUBIN,), superevent)
    assert outcome.grades == () and outcome.undecided
    assert capsys.readouterr().out.count("unexpected_error") == 1
    # Nothing of that is kept.
    graded.grading.measured.set()
    [outcome] = await grades.judge((RUBIN,), superevent)
    assert outcome.grades == ("Silver",)


async def test_a_reply_in_place_of_the_root_has_the_grades_too(graded: Graded) -> None:
    (channel,) = await subscribed(graded, NTT)
    await graded.announce(FIRST)
    graded.harness.local_slack.fail("chat.update", error="edit_window_closed")
    await graded.announce(decoded_notice(alert_type="INITIAL", minutes=20))
    assert "ntt-kilonova: Gold" in str(graded.posts(channel)[-1]["blocks"])


@pytest.mark.slow
async def test_rubins_rules_follow_an_event_from_its_first_notice_to_its_retraction(
    harness: DeliveryHarness,
) -> None:
    """With the real repository, grading and sky maps: the event is near the Sun, so Rubin's rules say no."""
    (channel,) = await harness.create_subscribed_channels(words="CBC mock criteria rubin-2026 lasair")
    shown = Graded(harness, ChosenSets(), by_stage())

    async def announce(record: Record) -> None:
        await harness.pipeline().handle(to_avro(record), Origin("test", "1", live=True))
        await harness.wait_until_delivered()

    _, preliminary, _, initial, _, retraction = ms181101ab(NOW)
    await announce(preliminary)
    [post] = shown.posts(channel)
    assert "lasair: Watch · rubin-2026: undecided" in str(post["blocks"])
    assert "Mpc lasair: Watch FAR" in str(post["text"]).replace("\u00a0", " ")
    assert "lasair: Watch · rubin-2026: would not trigger\n" in shown.root(channel)
    assert len(harness.calls("chat.update", channel)) == 1
    await announce(initial)
    assert "lasair: Watch · rubin-2026: no trigger\n" in shown.root(channel)
    await announce(retraction)
    assert "lasair: Watch ended by the retraction\n" in shown.root(channel)
    assert "lasair: Watch ended by the retraction\n" in shown.messages(channel)[-1]
