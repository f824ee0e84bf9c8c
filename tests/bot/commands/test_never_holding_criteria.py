"""Criteria that no notice can meet are stored only for whoever insists."""

from __future__ import annotations

import json

import pytest

from bot.app.factory import Factory
from bot.cli import channel_file
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.context import CommandContext
from bot.commands.subscription_service import Edited, NeverHolds, SubscriptionService
from bot.commands.subscriptions import SubscriptionCommands
from bot.filters import parse_criteria
from bot.filters.criteria_parser import split_insistence
from bot.runtime.wakeups import Wakeups
from bot.store.channels.channel_history import ChannelHistory
from formatters.blockkit.message import Message
from tests.support.factories import TEAM, Clock, decoded_notice, record_notices, subscribe

CONTEXT = CommandContext(TEAM, "C1", "U0ASKER")


@pytest.fixture
def service(factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> SubscriptionService:
    monkeypatch.setattr("bot.commands.subscription_service.CONFIRMATION_TIMEOUT_S", 0.0)
    return factory.create_subscription_service(clock, Wakeups(), ChannelAuthorizer())


@pytest.fixture
def commands(factory: Factory, service: SubscriptionService) -> SubscriptionCommands:
    return SubscriptionCommands(service, ChannelHistory(factory.database))


def shown(message: Message) -> str:
    return f"{message.text} {message.blocks}"


@pytest.mark.parametrize("words", ["BNS>100%", "BNS NSBH", "Burst distance<100", "CBC notify @here if BNS>1"])
async def test_what_never_holds_is_stored_only_when_repeated_with_anyway(
    commands: SubscriptionCommands, service: SubscriptionService, words: str
) -> None:
    refused = await commands.subscribe(words, CONTEXT)
    assert "Nothing was changed" in shown(refused) and "anyway" in shown(refused)
    assert not await service.for_channel_with_unconfirmed(CONTEXT)
    await commands.subscribe(f"{words} anyway", CONTEXT)
    (stored,) = await service.for_channel_with_unconfirmed(CONTEXT)
    assert stored.criteria == parse_criteria(words)


async def test_an_edit_is_refused_in_the_same_way(
    factory: Factory, commands: SubscriptionCommands, service: SubscriptionService
) -> None:
    await subscribe(factory, "CBC", "C1")
    never = parse_criteria("BNS>0.9 BNS<0.1")
    assert isinstance(await service.edit(CONTEXT, 1, never), NeverHolds)
    assert "exclude each other" in shown(await commands.edit("1 BNS>0.9 BNS<0.1", CONTEXT))
    (stored,) = await service.for_channel(CONTEXT)
    assert stored.criteria == parse_criteria("CBC")
    assert isinstance(await service.edit(CONTEXT, 1, never, anyway=True), Edited)


async def test_a_condition_that_chooses_nothing_is_said(commands: SubscriptionCommands) -> None:
    answer = shown(await commands.subscribe("BNS>=0 far<1/yr", CONTEXT))
    assert "chooses nothing: it holds for every notice" in answer


async def test_stored_criteria_that_never_hold_are_still_read_and_imported(factory: Factory) -> None:
    await subscribe(factory, "BNS>1", "C1")
    (stored,) = await factory.subscriptions.for_channel(TEAM, "C1")
    assert stored.criteria.canonical == "all BNS>1"


def test_criteria_that_never_hold_are_imported_from_another_bot() -> None:
    subscription = {"words": "all BNS>1", "created_by": "U1", "created_at": "2026-11-01T00:00:00+00:00"}
    row = {"team": TEAM, "channel": "C1", "subscriptions": [subscription]}
    (channel,) = channel_file.loads(json.dumps({"gwevent_export": 1, "channels": [row]})).channels
    assert [s.words for s in channel.subscriptions] == ["all BNS>1"]


@pytest.mark.parametrize(
    ("words", "rest", "is_insisting"),
    [
        ("BNS NSBH anyway", "BNS NSBH", True),
        ("BNS NSBH Anyway.", "BNS NSBH", True),
        ("anyway", "", True),
        ("BNS", "BNS", False),
        ("pipeline=anyway", "pipeline=anyway", False),
    ],
)
def test_anyway_is_a_word_of_its_own(words: str, rest: str, is_insisting: bool) -> None:
    assert split_insistence(words) == (rest, is_insisting)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("search BNS>0.9 BNS<0.1", "BNS&gt;0.9 and BNS&lt;0.1 exclude each other"),
        ("latest Burst distance<100", "a Burst states no distance"),
        ("test BNS>100%", "a probability is at most 100 %"),
        ("search mchirp<2", "None of these events states mchirp."),
        ("search mchirp<2", "mchirp is the median of the source-frame chirp mass."),
        ("search z<0.1", "z is the redshift of the mean distance (Planck18)."),
        ("latest z<0.1", "None of these events states distance."),
    ],
)
async def test_a_question_that_finds_nothing_says_why(factory: Factory, words: str, sentence: str) -> None:
    await record_notices(factory, [decoded_notice()])
    router = factory.create_command_router(Clock())
    assert sentence in shown(await router.dispatch(words, CONTEXT))


async def test_a_question_that_finds_events_gives_no_reason(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice()])
    answer = shown(
        await factory.create_command_router(Clock()).dispatch("search BNS mchirp<2 or BNS", CONTEXT)
    )
    assert "None of these events" not in answer
