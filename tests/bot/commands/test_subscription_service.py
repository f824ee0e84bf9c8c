"""Changes of subscriptions by their service, without any text."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bot.app.factory import Factory
from bot.commands.authorization import AuthorizedContext, ChannelAuthorizer, PermissionDenied
from bot.commands.context import CommandContext
from bot.commands.subscription_service import (
    AlreadyPaused,
    AlreadySubscribed,
    Edited,
    NoSuchSubscription,
    NotPaused,
    OutOfDate,
    Paused,
    Removed,
    Resumed,
    SubscriptionService,
    Unchanged,
)
from bot.commands.subscriptions import selects
from bot.criteria.parsing import parse_grades
from bot.filters import FilterSyntaxError, parse_criteria
from bot.filters.form_parser import InvalidForm, criteria_from_form
from bot.runtime.wakeups import Wakeups
from bot.setting_types.escalation_webhook import EscalationWebhookPolicy
from formatters.models.criteria_set import CriteriaSet
from formatters.models.subscription import fingerprint
from formatters.views.subscription_form import SubscriptionForm
from tests.support.factories import AUTHOR, TEAM, Clock, subscribe

CONTEXT = CommandContext(TEAM, "C1", "U0ASKER")
CBC, BURST = parse_criteria("CBC"), parse_criteria("Burst")


class Refusing:
    """A permission check that counts its calls and refuses everybody."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, team_id: str, channel_id: str, user_id: str) -> str | None:
        self.calls += 1
        return "Only admins may."


@pytest.fixture
def wakeups() -> Wakeups:
    return Wakeups()


@pytest.fixture
def service(factory: Factory, clock: Clock, wakeups: Wakeups) -> SubscriptionService:
    return factory.create_subscription_service(clock, wakeups, ChannelAuthorizer())


async def test_edit_pause_resume_and_remove_return_typed_outcomes(
    factory: Factory, service: SubscriptionService
) -> None:
    await subscribe(factory, "CBC", "C1")
    before = await service.find(CONTEXT, 1)
    edited = await service.edit(CONTEXT, 1, BURST)
    assert isinstance(edited, Edited) and edited.before == before and edited.after.criteria == BURST
    assert isinstance(await service.edit(CONTEXT, 1, BURST), Unchanged)
    assert isinstance(await service.subscribe(CONTEXT, BURST), AlreadySubscribed)
    assert isinstance(await service.resume(CONTEXT, 1), NotPaused)
    assert isinstance(await service.pause(CONTEXT, 1), Paused)
    assert isinstance(await service.pause(CONTEXT, 1), AlreadyPaused)
    assert isinstance(await service.resume(CONTEXT, 1), Resumed)
    missing = await service.edit(CONTEXT, 7, CBC)
    assert missing == NoSuchSubscription(7, await service.for_channel(CONTEXT))
    removed = await service.remove(CONTEXT, [1], {1: fingerprint(edited.after)})
    assert isinstance(removed, Removed) and [s.number for s in removed.subscriptions] == [1]


async def test_a_subscription_changed_since_it_was_shown_is_not_removed(
    factory: Factory, service: SubscriptionService, wakeups: Wakeups
) -> None:
    await subscribe(factory, "CBC", "C1")
    (shown,) = await service.for_channel(CONTEXT)
    await service.edit(CONTEXT, 1, BURST)
    wakeups.deliveries.clear()
    outcome = await service.remove(CONTEXT, [1], {1: fingerprint(shown)})
    assert outcome == OutOfDate(await service.for_channel(CONTEXT))
    assert not wakeups.deliveries.is_set()


async def test_only_changes_wake_the_delivery_worker(
    factory: Factory, service: SubscriptionService, wakeups: Wakeups
) -> None:
    await subscribe(factory, "CBC", "C1")
    await service.edit(CONTEXT, 1, CBC)
    await service.resume(CONTEXT, 1)
    assert not wakeups.deliveries.is_set()
    await service.pause(CONTEXT, 1)
    assert wakeups.deliveries.is_set()


@pytest.mark.parametrize(
    "change",
    [
        lambda service: service.subscribe(CONTEXT, BURST),
        lambda service: service.edit(CONTEXT, 1, BURST),
        lambda service: service.pause(CONTEXT, 1),
        lambda service: service.resume(CONTEXT, 1),
        lambda service: service.remove(CONTEXT, [1]),
    ],
    ids=["subscribe", "edit", "pause", "resume", "remove"],
)
async def test_every_change_is_authorized_once(
    factory: Factory,
    clock: Clock,
    wakeups: Wakeups,
    change: Callable[[SubscriptionService], Coroutine[Any, Any, object]],
) -> None:
    await subscribe(factory, "CBC", "C1")
    refusing = Refusing()
    service = factory.create_subscription_service(clock, wakeups, ChannelAuthorizer(refusing))
    before = await service.for_channel(CONTEXT)
    with pytest.raises(PermissionDenied, match="Only admins may"):
        await change(service)
    assert refusing.calls == 1 and await service.for_channel(CONTEXT) == before


async def test_an_authorized_context_is_not_checked_again() -> None:
    refusing = Refusing()
    authorized = AuthorizedContext(TEAM, "C1", "U0ASKER")
    assert await ChannelAuthorizer(refusing).authorize(authorized) is authorized
    assert refusing.calls == 0


OURS = CriteriaSet(slug="ours", grades=parse_grades("Gold: BNS distance<150; Silver: BNS"))


async def test_criteria_sets_and_grades_must_be_the_workspaces(
    factory: Factory, service: SubscriptionService
) -> None:
    await factory.criteria_sets.add(TEAM, "C9", OURS, AUTHOR)
    for words in ("CBC criteria rubin-2026 ours", "CBC grade ours>=Silver notify @here if grade ours=Gold"):
        criteria = await service.parse_criteria(CONTEXT, words)
        assert criteria.canonical == words
        assert all(condition.definition is not None for condition in criteria.grade_conditions)
    for words, sentence in (
        ("CBC criteria our", 'No criteria set is called "our": did you mean "ours"'),
        ("CBC grade theirs", 'No criteria set is called "theirs"'),
        ("CBC notify @here if grade ours=Bronze", 'ours has no grade "Bronze"'),
        ("CBC grade ours>Gold", 'No grade of ours is better than "Gold"'),
    ):
        with pytest.raises(FilterSyntaxError, match=sentence):
            await service.parse_criteria(CONTEXT, words)
    with pytest.raises(FilterSyntaxError, match="ours"):
        await service.parse_criteria(CommandContext("T2", "C1", "U1"), "CBC criteria ours")


async def test_the_form_gets_a_sentence_for_a_set_that_is_gone(
    factory: Factory, service: SubscriptionService
) -> None:
    # What the form chooses stands in no text that is typed.
    parse = await service.criteria_parser(CONTEXT, "")
    with pytest.raises(InvalidForm) as refused:
        criteria_from_form(SubscriptionForm(criteria_sets=("ours",)), parse)
    assert 'No criteria set is called "ours"' in refused.value.errors["criteria_sets"]
    await factory.criteria_sets.add(TEAM, "C9", OURS, AUTHOR)
    parse = await service.criteria_parser(CONTEXT, "")
    assert criteria_from_form(SubscriptionForm(criteria_sets=("ours",)), parse).criteria_sets == ("ours",)


async def test_words_with_a_grade_find_their_subscription(
    factory: Factory, service: SubscriptionService
) -> None:
    await factory.criteria_sets.add(TEAM, "C9", OURS, AUTHOR)
    await subscribe(factory, "CBC grade ours>=Silver notify @here", "C1")
    [stored] = await service.for_channel(CONTEXT)
    assert selects(parse_criteria("CBC grade ours>=Silver"), stored.criteria)
    unchanged = await service.edit(
        CONTEXT, 1, await service.parse_criteria(CONTEXT, stored.criteria.canonical)
    )
    assert isinstance(unchanged, Unchanged)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (EscalationWebhookPolicy(teams=()), "don't let this workspace call their webhook"),
        (EscalationWebhookPolicy(teams=("T0OTHER",)), "don't let this workspace call their webhook"),
        (EscalationWebhookPolicy(is_configured=False), "This gwevent has no operators' webhook"),
    ],
)
async def test_a_workspace_that_may_not_call_the_webhook_is_told_so(
    factory: Factory, clock: Clock, wakeups: Wakeups, policy: EscalationWebhookPolicy, sentence: str
) -> None:
    factory.escalation_webhook = policy
    service = factory.create_subscription_service(clock, wakeups, ChannelAuthorizer())
    with pytest.raises(FilterSyntaxError) as refused:
        await service.parse_criteria(CONTEXT, "CBC notify @here escalate 5min <@U2> 10min webhook")
    assert sentence in str(refused.value)
    assert (await service.parse_criteria(CONTEXT, "CBC notify @here escalate 5min <@U2>")).notify is not None


@pytest.mark.parametrize("teams", [None, (TEAM,)])
async def test_a_workspace_that_may_call_the_webhook_can_subscribe_with_it(
    factory: Factory, clock: Clock, wakeups: Wakeups, teams: tuple[str, ...] | None
) -> None:
    factory.escalation_webhook = EscalationWebhookPolicy(teams=teams)
    service = factory.create_subscription_service(clock, wakeups, ChannelAuthorizer())
    criteria = await service.parse_criteria(CONTEXT, "CBC notify @here escalate 10min webhook")
    assert criteria.canonical == "CBC notify @here escalate 10min webhook"


def test_unsubscribing_by_words_finds_what_has_quiet_events_too() -> None:
    assert selects(parse_criteria("CBC BNS"), parse_criteria("CBC BNS quiet BBH notify @here"))
    assert not selects(parse_criteria("CBC BNS quiet BBH"), parse_criteria("CBC BNS"))
