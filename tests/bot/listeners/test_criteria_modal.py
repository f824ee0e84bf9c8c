"""The modal of criteria sets and App Home's list of them, on the local Slack with the real bot."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.commands import subscription_service
from bot.criteria.parsing import parse_grades
from bot.criteria.presets import BUILT_IN
from bot.local_slack.server import LocalSlack
from bot.slack.channel_policy import ChannelPolicy
from bot.store.channels import criteria_sets
from bot.store.channels.change_log import ChangeAuthor
from bot.store.database import StoreUnavailable
from formatters.models.criteria_set import CriteriaSet
from formatters.views import criteria_modal, home_tab
from tests.bot.listeners.test_subscription_modal import block, last_page, opened, typed, words
from tests.support.factories import NOW, TEAM, subscribe

Json = dict[str, Any]
AUTHOR = ChangeAuthor("U0OTHER", NOW)
GRADES = "Gold: NS distance<150; Silver: NS distance<300"
SLUG = "ntt-kilonova"


def filled(grades: str, name: str | None = None) -> Json:
    state: Json = {"grades": {"value": {"value": grades}}}
    return state if name is None else {**state, "name": {"value": {"value": name}}}


async def stored(factory: Factory) -> dict[str, str]:
    return {one.set.slug: one.set.canonical for one in await factory.criteria_sets.for_team(TEAM)}


async def add(factory: Factory, channel: str, slug: str = SLUG, grades: str = GRADES) -> CriteriaSet:
    made = CriteriaSet(slug=slug, grades=parse_grades(grades))
    await factory.criteria_sets.add(TEAM, channel, made, AUTHOR)
    return made


async def open_form(local_slack: LocalSlack, channel: str, action_id: str) -> Json:
    """Press a button of the list of sets, and return the form that it opens."""
    listed = await (await typed(local_slack, channel, "criteria")).wait_for_answer(30)
    assert (await local_slack.press(channel, listed["ts"], action_id)).ok
    return await opened(local_slack)


async def test_a_set_is_made_in_the_form(bot: Application, local_slack: LocalSlack, factory: Factory) -> None:
    channel = local_slack.add_channel("gw")
    view = await open_form(local_slack, channel, criteria_modal.OPEN_ACTION)
    assert view["title"]["text"] == "New criteria set"
    unreadable = await local_slack.submit(filled("Gold: NS distanec<150", SLUG))
    assert set(unreadable.errors) == {"grades"} and "distance" in unreadable.errors["grades"]
    nameless = await local_slack.submit(filled(GRADES, "my set!"))
    assert set(nameless.errors) == {"name"} and "my-set" in nameless.errors["name"]
    taken = await local_slack.submit(filled(GRADES, "rubin-2026"))
    assert taken.errors == {"name": '"rubin-2026" is built in: choose another name.'}
    assert await stored(factory) == {}

    local_slack.workspace.modals[local_slack.user][-1].state = filled("Gold: NS\nSilver: BBH", SLUG)
    await local_slack.view_action(criteria_modal.PREVIEW_ACTION)
    await local_slack.wait_for(lambda: "*Silver*: BBH" in words(local_slack.view()))
    assert (await local_slack.submit(filled("Gold: NS distance<150\n\nSilver: NS distance<300", SLUG))).ok
    await last_page(local_slack, f"*{SLUG}* added")
    assert await stored(factory) == {SLUG: GRADES}


async def test_a_grade_that_can_t_be_given_is_stored_when_submitted_again(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await open_form(local_slack, channel, criteria_modal.OPEN_ACTION)
    never = "Gold: distance<100 distance>200"
    assert (await local_slack.submit(filled(never, SLUG))).ok
    assert words(local_slack.view()).count("Press Create again to store it as it is.") == 2
    assert block(local_slack.view() or {}, "grades")["initial_value"] == never
    other = "Gold: distance<100 distance>300"
    assert (await local_slack.submit(filled(other, SLUG))).ok
    assert "Press Create again" in words(local_slack.view()), "others than those that were told"
    assert await stored(factory) == {}
    assert (await local_slack.submit(filled(other, SLUG))).ok
    await last_page(local_slack, f"*{SLUG}* added")
    assert await stored(factory) == {SLUG: other}


async def test_a_set_is_edited_and_who_uses_it_hears_of_it(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel, using = local_slack.add_channel("gw"), local_slack.add_channel("using")
    await add(factory, channel)
    await subscribe(factory, f"CBC criteria {SLUG}", using)
    view = await open_form(local_slack, channel, f"{criteria_modal.OPEN_ACTION}.{SLUG}")
    assert block(view, "grades")["initial_value"] == GRADES.replace("; ", "\n")
    assert "name" not in words([one.get("block_id") for one in view["blocks"]]), "it can't be changed"
    assert (await local_slack.submit(filled("Gold: NS distance<100\nSilver: NS"))).ok
    await last_page(local_slack, f"*{SLUG}* changed")
    assert await stored(factory) == {SLUG: "Gold: NS distance<100; Silver: NS"}
    await local_slack.wait_for(lambda: "distance&lt;100" in words(local_slack.messages(using)))
    assert local_slack.messages(channel) == [], "nobody uses it there"
    await open_form(local_slack, channel, f"{criteria_modal.OPEN_ACTION}.{SLUG}")
    await local_slack.view_action(criteria_modal.REMOVE_ACTION)
    await last_page(local_slack, f"is used by subscription 1 of <#{using}>")
    assert SLUG in await stored(factory), "it is used"


async def test_a_grade_that_a_subscription_names_stays_and_what_was_typed_is_kept(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    await subscribe(factory, f"CBC grade {SLUG}>Silver", channel)
    await open_form(local_slack, channel, f"{criteria_modal.OPEN_ACTION}.{SLUG}")
    without = "Gold: NS distance<100\nBronze: NS"
    assert (await local_slack.submit(filled(without))).ok
    view = local_slack.view() or {}
    assert "Silver of *ntt-kilonova* would disappear" in words(view["blocks"][0])
    assert block(view, "grades")["initial_value"] == without
    # Now nothing is better than Silver, which can't be given either: both are said before anybody insists.
    doubtful = "Silver: distance<100 distance>200\nGold: NS"
    assert (await local_slack.submit(filled(doubtful))).ok
    said = words(local_slack.view())
    assert "can never hold" in said and f"grade {SLUG}&gt;Silver" in said
    assert await stored(factory) == {SLUG: GRADES}
    assert (await local_slack.submit(filled(doubtful))).ok
    await last_page(local_slack, f"*{SLUG}* changed")
    assert await stored(factory) == {SLUG: doubtful.replace("\n", "; ")}


async def test_a_set_too_many_is_refused_and_what_was_typed_is_kept(
    bot: Application, local_slack: LocalSlack, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(criteria_sets, "SETS_MAX", 1)
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    await open_form(local_slack, channel, criteria_modal.OPEN_ACTION)
    assert (await local_slack.submit(filled("Gold: NS", "another"))).ok
    view = local_slack.view() or {}
    assert "at most" in words(view["blocks"][0]) and block(view, "name")["initial_value"] == "another"


async def test_a_set_that_changed_meanwhile_is_not_overwritten_unseen(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    await open_form(local_slack, channel, f"{criteria_modal.OPEN_ACTION}.{SLUG}")
    theirs = CriteriaSet(slug=SLUG, grades=parse_grades("Gold: BNS distance<50; Silver: NS"))
    await factory.criteria_sets.edit(TEAM, channel, theirs, AUTHOR)
    mine = filled("Gold: NS distance<120\nSilver: NS")
    assert (await local_slack.submit(mine)).ok
    shown = words(local_slack.view())
    assert "Nothing was saved" in shown and "BNS distance&lt;50" in shown
    assert await stored(factory) == {SLUG: theirs.canonical}
    assert (await local_slack.submit(mine)).ok
    await last_page(local_slack, f"*{SLUG}* changed")
    assert await stored(factory) == {SLUG: "Gold: NS distance<120; Silver: NS"}, "now they have seen it"


async def test_a_button_of_an_older_state_removes_nothing(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    await open_form(local_slack, channel, f"{criteria_modal.OPEN_ACTION}.{SLUG}")
    other = CriteriaSet(slug=SLUG, grades=parse_grades("Gold: BNS"))
    await factory.criteria_sets.edit(TEAM, channel, other, AUTHOR)
    await local_slack.view_action(criteria_modal.REMOVE_ACTION)
    await last_page(local_slack, "Somebody changed")
    assert await stored(factory) == {SLUG: "Gold: BNS"}
    await open_form(local_slack, channel, f"{criteria_modal.OPEN_ACTION}.{SLUG}")
    await local_slack.view_action(criteria_modal.REMOVE_ACTION)
    await last_page(local_slack, f"*{SLUG}* removed")
    assert await stored(factory) == {}


async def test_a_set_that_is_gone_or_built_in_is_not_edited(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    listed = await (await typed(local_slack, channel, "criteria")).wait_for_answer(30)
    await factory.criteria_sets.remove(TEAM, channel, SLUG, AUTHOR)
    await local_slack.press(channel, listed["ts"], f"{criteria_modal.OPEN_ACTION}.{SLUG}")
    await last_page(local_slack, "There is no criteria set")
    local_slack.fail("views.open", error="expired_trigger_id")
    await local_slack.press(channel, listed["ts"], criteria_modal.OPEN_ACTION)
    await local_slack.wait_for(lambda: "expired_trigger_id" in words(local_slack.ephemerals(channel)))


async def test_a_set_that_was_removed_while_the_form_was_open_can_be_made_again(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    await open_form(local_slack, channel, f"{criteria_modal.OPEN_ACTION}.{SLUG}")
    await factory.criteria_sets.remove(TEAM, channel, SLUG, AUTHOR)
    assert (await local_slack.submit(filled("Gold: NS distance<120"))).ok
    view = local_slack.view() or {}
    assert (
        "There is no criteria set" in words(view["blocks"][0]) and view["title"]["text"] == "New criteria set"
    )
    assert block(view, "name")["initial_value"] == SLUG
    assert block(view, "grades")["initial_value"] == "Gold: NS distance<120", "it isn't lost"
    assert await stored(factory) == {}
    assert (await local_slack.submit(filled("Gold: NS distance<120", SLUG))).ok
    await last_page(local_slack, f"*{SLUG}* added")
    assert await stored(factory) == {SLUG: "Gold: NS distance<120"}


@pytest.mark.slow
async def test_a_slow_submission_is_answered_in_time(
    bot: Application, local_slack: LocalSlack, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.slack.listeners.criteria_modal, "_submit_timeout_s", 0.0)
    channel = local_slack.add_channel("gw")
    await open_form(local_slack, channel, criteria_modal.OPEN_ACTION)
    assert (await local_slack.submit(filled("Gold: frob", SLUG))).ok
    await local_slack.wait_for(lambda: "Please correct" in words(local_slack.view()))
    assert block(local_slack.view() or {}, "grades")["initial_value"] == "Gold: frob", "it isn't lost"
    assert (await local_slack.submit(filled(GRADES, SLUG))).ok
    assert "takes longer" in words(local_slack.view())
    await last_page(local_slack, f"*{SLUG}* added")
    assert await stored(factory) == {SLUG: GRADES}


async def test_the_form_is_refused_without_permission(
    bot: Application, local_slack: LocalSlack, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = local_slack.add_channel("gw")
    service = bot.slack.listeners.criteria_modal._service
    monkeypatch.setattr(service._authorizer, "_check_permission", ChannelPolicy("admins", {}).check)
    await open_form(local_slack, channel, criteria_modal.OPEN_ACTION)
    assert (await local_slack.submit(filled(GRADES, SLUG))).ok
    await last_page(local_slack, "Slack can't be asked yet who may do that")
    assert await stored(factory) == {}


async def test_app_home_lists_changes_and_removes_sets(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    await subscribe(factory, f"CBC criteria {SLUG}", channel)
    local_slack.open_home()
    await local_slack.wait_for(lambda: local_slack.home() is not None)
    shown = words(local_slack.home())
    assert f"*{SLUG}*" in shown and "Gold: NS distance&lt;150" in shown and "<@U0OTHER>" in shown
    assert "rubin-2026" in shown

    await local_slack.view_action(home_tab.EDIT_SET_ACTION)
    await opened(local_slack)
    assert (await local_slack.submit(filled("Gold: NS distance<100\nSilver: NS"))).ok
    await last_page(local_slack, f"*{SLUG}* changed")
    await local_slack.wait_for(lambda: "Gold: NS distance&lt;100" in words(local_slack.home()))
    assert f"<@{local_slack.user}>" in words(local_slack.home()), "who changed it"
    await local_slack.wait_for(lambda: "distance&lt;100" in words(local_slack.messages(channel)))

    await local_slack.view_action(home_tab.REMOVE_SET_ACTION)
    await local_slack.wait_for(lambda: f"<#{channel}>" in words((local_slack.home() or {})["blocks"][0]))
    assert SLUG in await stored(factory), "a channel uses it"
    await local_slack.view_action(home_tab.NEW_SET_ACTION)
    await opened(local_slack)
    assert (await local_slack.submit(filled("Go: BNS", "go-stop"))).ok
    await last_page(local_slack, "*go-stop* added")
    await local_slack.wait_for(lambda: "*go-stop*" in words(local_slack.home()))
    direct = local_slack.direct_message()
    changes, _ = await factory.subscriptions.history(TEAM, direct, 1)
    assert len(changes) == 2, "what is done in App Home is kept in the person's conversation with gwevent"


async def test_a_home_without_the_persons_conversation_asks_to_open_it_again(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    await bot.slack.listeners.home_tab.publish(TEAM, local_slack.user)
    for action in (home_tab.EDIT_SET_ACTION, home_tab.NEW_SET_ACTION, home_tab.REMOVE_SET_ACTION):
        await local_slack.view_action(action)
        await local_slack.wait_for(lambda: "Open this page again" in words(local_slack.home()))
        await bot.slack.listeners.home_tab.publish(TEAM, local_slack.user)
    assert local_slack.view() is None and SLUG in await stored(factory)


async def test_a_view_that_another_process_published_keeps_the_persons_conversation(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "CBC", channel)
    local_slack.open_home()
    await local_slack.wait_for(lambda: home_tab.PAUSE_ACTION in words(local_slack.home()))
    bot.slack.listeners.home_tab._direct_channels.clear()
    await local_slack.view_action(home_tab.PAUSE_ACTION)
    await local_slack.wait_for(lambda: home_tab.RESUME_ACTION in words(local_slack.home()))
    assert (local_slack.home() or {})["private_metadata"] == local_slack.direct_message()


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_store_that_doesnt_answer_holds_up_no_form(
    bot: Application, local_slack: LocalSlack, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    async def load(team_id: str) -> None:
        if hangs:
            await asyncio.Event().wait()
        raise StoreUnavailable("away")

    modal = bot.slack.listeners.subscription_modal
    monkeypatch.setattr(modal._service._criteria_sets, "sets_by_slug", load)
    monkeypatch.setattr(subscription_service, "SETS_TIMEOUT_S", 0.05)
    await typed(local_slack, local_slack.add_channel("gw"), "dialog")
    view = await opened(local_slack)
    assert {one["value"] for one in block(view, "criteria_sets")["options"]} == set(BUILT_IN)


async def test_a_subscription_chooses_sets_in_the_form(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await add(factory, channel)
    await typed(local_slack, channel, "dialog")
    view = await opened(local_slack)
    offered = [one["value"] for one in block(view, "criteria_sets")["options"]]
    assert offered[0] == SLUG and "rubin-2026" in offered
    chosen = {"value": {"selected_options": [{"value": "rubin-2026"}, {"value": SLUG}]}}
    state = {"group": {"value": {"selected_option": {"value": "CBC"}}}, "criteria_sets": chosen}
    assert (await local_slack.submit(state)).ok
    await last_page(local_slack, "Done. ")
    (one,) = await factory.subscriptions.for_channel(TEAM, channel)
    assert one.criteria.canonical == f"CBC criteria rubin-2026 {SLUG}"
    await typed(local_slack, channel, "dialog 1")
    view = await opened(local_slack)
    assert [o["value"] for o in block(view, "criteria_sets")["initial_options"]] == ["rubin-2026", SLUG]
    gone = {"value": {"selected_options": [{"value": "gone-set"}]}}
    refused = await local_slack.submit({**state, "criteria_sets": gone})
    assert set(refused.errors) == {"criteria_sets"} and "gone-set" in refused.errors["criteria_sets"]
    assert (await local_slack.submit(state)).ok
    await last_page(local_slack, "Nothing was changed")
