"""The subscription modal, App Home and buttons, on the local Slack with the real bot."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.local_slack.user_actions import ActionResult
from bot.samples import ms181101ab, to_avro
from bot.slack.channel_policy import ChannelPolicy
from bot.sources.base import Origin
from bot.store.channels.change_log import ChangeAuthor
from formatters.models.observing import Site
from formatters.models.subscription import Criteria
from formatters.views import home_tab, subscription_modal
from formatters.views.modal_inputs import INPUT_ACTION_ID
from formatters.views.subscription_modal import OPEN_ACTION
from tests.support.factories import NOW, REAL, TEAM, Clock, decoded_notice, record_notices, subscribe
from tests.support.waiting import wait_until

Json = dict[str, Any]
AUTHOR = ChangeAuthor("U1", NOW)


def filled(**inputs: str | list[str]) -> Json:
    """Return the modal's state with these inputs: texts, or selected options."""
    state: Json = {}
    usual: dict[str, str | list[str]] = {"group": "all", "compared": "least", "far_unit": "yr"}
    for name, given in (usual | inputs).items():
        value: Json = {"value": given}
        if name in ("group", "compared", "far_unit", "instruments"):
            value = {"selected_option": {"value": given}}
        elif name in ("people", "next_people"):
            value = {"selected_users": given}
        elif isinstance(given, list):
            value = {"selected_options": [{"value": one} for one in given]}
        state[name] = {INPUT_ACTION_ID: value}
    return state


def block(view: Json, name: str) -> Json:
    (found,) = [b for b in view["blocks"] if b.get("block_id") == name]
    return found["element"]  # type: ignore[no-any-return]


def words(shown: Json | list[Json] | None) -> str:
    return json.dumps(shown, ensure_ascii=False)


async def opened(local_slack: LocalSlack, title: str = "submit") -> Json:
    """Return the modal, once it is a form."""
    await local_slack.wait_for(lambda: (local_slack.view() or {}).get(title))
    view = local_slack.view()
    assert view is not None
    return view


async def typed(local_slack: LocalSlack, channel: str, text: str) -> ActionResult:
    done = await local_slack.command("/gwevent", text, channel=channel)
    assert done.ok and done.acked_after is not None
    return done


async def last_page(local_slack: LocalSlack, said: str) -> None:
    await local_slack.wait_for(lambda: said in words(local_slack.view()))
    await local_slack.close_view()


async def in_channel(factory: Factory, channel: str) -> list[str]:
    return [s.criteria.canonical for s in await factory.subscriptions.for_channel(TEAM, channel)]


async def test_modal_subscribes_previews_and_edits(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await record_notices(factory, decoded_notice())
    done = await typed(local_slack, channel, "Dialog")
    assert done.answers == [], "nothing but the dialog"
    view = await opened(local_slack)
    assert local_slack.messages(channel) == [] and "Real, significant" not in words(view)
    first_screen = ["group", "classes", "distance", "area90", "criteria_sets", "broadcasts", "people"]
    first_screen.append("quiet")
    assert subscription_modal.input_names(view) == first_screen
    workspace = local_slack.workspace
    workspace.modals[local_slack.user][-1].state = filled(group="CBC", classes=["BNS"], distance="300")
    await local_slack.view_action(subscription_modal.MORE_ACTION)
    await local_slack.wait_for(lambda: "words" in subscription_modal.input_names(local_slack.view() or {}))
    view = await opened(local_slack)
    assert block(view, "BNS")["initial_value"] == "50" and block(view, "distance")["initial_value"] == "300"
    assert block(view, "group")["initial_option"]["value"] == "CBC"

    wrong = filled(BNS="150", distance="0", words="BNS distanec<3", when=["mock"])
    refused = await local_slack.submit(wrong)
    assert set(refused.errors) == {"BNS", "distance", "words", "when"}
    assert 'did you mean "distance"' in refused.errors["words"]
    both = await local_slack.submit(filled(group="CBC", words="Burst"))
    assert set(both.errors) == {"words"}

    good: Json = {"group": "CBC", "compared": "more", "BNS": "50", "distance": "300", "area90": "500"}
    good |= {"far": "1", "far_unit": "month"}
    await local_slack.wait_for(lambda: local_slack.view() is not None)
    # What was typed goes along with the button's press.
    workspace.modals[local_slack.user][-1].state = filled(**good)
    await local_slack.view_action(subscription_modal.PREVIEW_ACTION)
    asked = "CBC BNS>0.5 far<1/month distance<300 area90<500"
    await local_slack.wait_for(lambda: "BNS above 50" in words(local_slack.view()))
    shown = words(local_slack.view())
    assert asked.replace(">", "&gt;").replace("<", "&lt;") in shown
    # The notice has no map, so that distance and area are unknown.
    assert "0 of 1 past event" in shown
    workspace.modals[local_slack.user][-1].state = filled(**good | {"distance": "", "area90": ""})
    await local_slack.view_action(subscription_modal.PREVIEW_ACTION)
    await local_slack.wait_for(lambda: "1 of 1 past event" in words(local_slack.view()))
    assert REAL in words(local_slack.view())

    workspace.modals[local_slack.user][-1].state = filled(**good, words="near 1 2 3deg")
    before = len([call for call in local_slack.calls if call.method == "views.update"])
    await local_slack.view_action(subscription_modal.PREVIEW_ACTION)
    await local_slack.wait_for(lambda: re.search("0 of 1 .*near 1 2 3deg", words(local_slack.view())))
    updates = [call for call in local_slack.calls if call.method == "views.update"][before:]
    assert "Checking the sky maps" in words(updates[0].args) and len(updates) == 2

    assert (await local_slack.submit(filled(**good, words="not V1 notify @here if BNS"))).ok
    await last_page(local_slack, "Done. ")
    (confirmation,) = local_slack.messages(channel)
    assert "Subscribed" in words(confirmation) and "Real, significant CBC alerts" in words(confirmation)
    assert await in_channel(factory, channel) == [
        f"{asked} not V1 notify @here if BNS>=0.5".replace(">=0.5", "")
    ]

    listed = await (await typed(local_slack, channel, "subscriptions")).wait_for_answer(30)
    (first,) = await factory.subscriptions.for_channel(TEAM, channel)
    await local_slack.press(channel, listed["ts"], f"{OPEN_ACTION}.{first.id}")
    view = await opened(local_slack)
    assert block(view, "BNS")["initial_value"] == "50"
    assert block(view, "compared")["initial_option"]["value"] == "more"
    assert block(view, "words")["initial_value"] == "not V1 notify @here if BNS"
    assert (await local_slack.submit(filled(**good, words="notify @here if BNS not V1"))).errors == {}
    await last_page(local_slack, "is now *CBC BNS&gt;0.5")
    (edited,) = await factory.subscriptions.for_channel(TEAM, channel)
    assert edited.id == first.id and edited.criteria.notify is not None
    assert (
        "not V1" in edited.criteria.notify.canonical
        and "not V1" not in edited.criteria.canonical_without_mentions
    )

    await typed(local_slack, channel, f"dialog {first.id}")
    await opened(local_slack)
    again = filled(**good, words=edited.criteria.notify.canonical)
    assert (await local_slack.submit(again)).ok
    await last_page(local_slack, "Nothing was changed")


async def test_first_screen_subscribes_and_a_simple_subscription_is_edited_in_it(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await typed(local_slack, channel, "dialog")
    await opened(local_slack)
    refused = await local_slack.submit({**filled(distance="0", area90="0")})
    assert set(refused.errors) == {"distance", "area90"}, "each at its input"
    chosen: Json = {"group": "CBC", "classes": ["BNS", "NSBH"], "distance": "300", "broadcasts": ["<!here>"]}
    assert (await local_slack.submit(filled(**chosen))).ok
    await last_page(local_slack, "Done. ")
    asked = "CBC (BNS or NSBH) distance<300 notify @here"
    assert await in_channel(factory, channel) == [asked]
    await typed(local_slack, channel, "dialog 1")
    view = await opened(local_slack)
    assert "words" not in subscription_modal.input_names(view)
    assert [o["value"] for o in block(view, "classes")["initial_options"]] == ["BNS", "NSBH"]
    assert (await local_slack.submit(filled(**chosen))).ok
    await last_page(local_slack, "Nothing was changed")


async def test_who_is_next_and_quiet_events_are_chosen_in_the_form(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await typed(local_slack, channel, "dialog")
    view = await opened(local_slack)
    assert [option["value"] for option in block(view, "quiet")["initial_options"]] == ["bbh"]
    chosen: Json = {"group": "CBC", "people": [local_slack.user], "quiet": ["bbh"]}
    steps: Json = {"next_people": [local_slack.colleague], "next_after": "5"}
    wrong = await local_slack.submit(filled(**chosen, next_people=[local_slack.colleague]))
    assert "minutes" in str(wrong.errors)
    assert (await local_slack.submit(filled(**chosen, **steps))).ok
    await last_page(local_slack, "Done. ")
    mine, other = f"<@{local_slack.user}>", f"<@{local_slack.colleague}>"
    assert await in_channel(factory, channel) == [f"CBC quiet BBH notify {mine} escalate 5min {other}"]
    (confirmation,) = local_slack.messages(channel)
    assert f"If nobody presses “I have it”: after 5\u00a0min {other}" in words(confirmation)
    assert "Quiet: events with BBH of 50 % or more" in words(confirmation).replace("\u00a0", " ")
    await typed(local_slack, channel, "dialog 1")
    view = await opened(local_slack)
    assert block(view, "next_after")["initial_value"] == "5"
    assert block(view, "next_people")["initial_users"] == [local_slack.colleague]
    assert (await local_slack.submit(filled(**chosen, **steps))).ok
    await last_page(local_slack, "Nothing was changed")


async def test_the_tick_of_a_new_form_is_left_out_where_no_event_can_be_quiet(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await typed(local_slack, channel, "dialog")
    await opened(local_slack)
    assert (await local_slack.submit(filled(group="CBC", classes=["BNS"], quiet=["bbh"]))).ok
    await last_page(local_slack, "Done. ")
    assert await in_channel(factory, channel) == ["CBC BNS"]


async def test_criteria_that_can_never_hold_are_stored_when_submitted_again(
    bot: Application, local_slack: LocalSlack, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contradiction(criteria: Criteria) -> str | None:
        return "A Burst has no distance." if criteria.group == "Burst" else None

    monkeypatch.setattr(bot.slack.listeners.subscription_modal, "_find_contradiction", contradiction)
    channel = local_slack.add_channel("gw")
    await typed(local_slack, channel, "dialog")
    await opened(local_slack)
    assert (await local_slack.submit(filled(group="Burst", distance="100"))).ok
    assert "A Burst has no distance. Press Subscribe again to store it" in words(local_slack.view())
    assert await in_channel(factory, channel) == []
    assert (await local_slack.submit(filled(group="Burst", distance="200"))).ok
    assert "A Burst has no distance. Press Subscribe again" in words(local_slack.view()), "other criteria"
    assert await in_channel(factory, channel) == []
    assert (await local_slack.submit(filled(group="Burst", distance="200"))).ok
    await last_page(local_slack, "Done. ")
    assert await in_channel(factory, channel) == ["Burst distance<200"]


@pytest.mark.slow
async def test_a_slow_submission_is_answered_in_time(
    bot: Application, local_slack: LocalSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.slack.listeners.subscription_modal, "_submit_timeout_s", 0.05)
    channel = local_slack.add_channel("gw")
    await typed(local_slack, channel, "dialog")
    await opened(local_slack)
    local_slack.fail("chat.postMessage", delay=1.0)
    assert (await local_slack.submit(filled())).ok
    assert "takes longer" in words(local_slack.view())
    await last_page(local_slack, "Done. ")


async def test_failures_to_open_the_modal_are_explained(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel, other = local_slack.add_channel("gw"), local_slack.add_channel("other")
    await subscribe(factory, "CBC", other)
    (there,) = await factory.subscriptions.for_channel(TEAM, other)
    await typed(local_slack, channel, f"dialog {there.id}")
    await last_page(local_slack, "This channel has no subscription")
    local_slack.fail("views.open", error="expired_trigger_id")
    answer = await (await typed(local_slack, channel, "dialog")).wait_for_answer(30)
    assert "expired_trigger_id" in answer["text"]
    # A mention has no trigger: it is answered with a button that has one.
    await local_slack.say("@gwevent dialog", other)
    await local_slack.wait_for(lambda: local_slack.ephemerals(other))
    await local_slack.press(other, local_slack.ephemerals(other)[0]["ts"], f"{OPEN_ACTION}.{there.id}")
    view = await opened(local_slack)
    assert block(view, "group")["initial_option"]["value"] == "CBC" and "Current: *CBC*" in words(view)
    # Another channel in the metadata changes nothing of this one's.
    local_slack.workspace.modals[local_slack.user][-1].payload["private_metadata"] = (
        subscription_modal.ModalContext(channel_id=channel, number=there.id).metadata
    )
    assert (await local_slack.submit(filled(group="Burst"))).ok
    await last_page(local_slack, "no subscription")
    assert await in_channel(factory, other) == ["CBC"] and await in_channel(factory, channel) == []
    wrong = await (await typed(local_slack, channel, "subscribe wibble")).wait_for_answer(30)
    assert "Open the form" in words(wrong)


async def test_app_home_shows_and_changes_own_channels_only(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    secret = local_slack.add_channel("secret", private=True)
    await record_notices(factory, decoded_notice())
    await subscribe(factory, "CBC mock", channel)
    await subscribe(factory, "Burst", secret, "D0SOMEBODY")
    local_slack.workspace.leave(local_slack.workspace.channels[secret], local_slack.user)
    local_slack.open_home()
    await local_slack.wait_for(lambda: local_slack.home() is not None)
    shown = words(local_slack.home())
    assert "CBC mock" in shown and REAL in shown and "silent: connected" in shown
    assert "gracedb.ligo.org" in shown
    assert secret not in shown and "Burst" not in shown and "D0SOMEBODY" not in shown
    local_slack.open_home(local_slack.colleague)
    await local_slack.wait_for(lambda: secret in words(local_slack.home(local_slack.colleague)))

    await local_slack.view_action(home_tab.PAUSE_ACTION)
    await local_slack.wait_for(lambda: home_tab.RESUME_ACTION in words(local_slack.home()))
    assert (await factory.subscriptions.for_channel(TEAM, channel))[0].paused_at == NOW
    await local_slack.view_action(home_tab.RESUME_ACTION)
    await local_slack.wait_for(lambda: home_tab.PAUSE_ACTION in words(local_slack.home()))

    await local_slack.view_action(home_tab.EDIT_ACTION)
    view = await opened(local_slack)
    assert [o["value"] for o in block(view, "switches")["initial_options"]] == ["mock"]
    assert (await local_slack.submit(filled(group="CBC", NS="30"))).ok
    await last_page(local_slack, "is now *CBC NS&gt;=0.3*")
    await local_slack.wait_for(lambda: "CBC NS&gt;=0.3" in words(local_slack.home()))
    await local_slack.view_action(home_tab.NEW_ACTION)
    await opened(local_slack)
    # Meanwhile they are no longer in the channel.
    local_slack.workspace.leave(local_slack.workspace.channels[channel], local_slack.user)
    assert (await local_slack.submit(filled(group="Burst"))).ok
    await last_page(local_slack, "You aren't in that channel")
    assert await in_channel(factory, channel) == ["CBC NS>=0.3"]
    await local_slack.wait_for(lambda: "posts in no channel that you are in" in words(local_slack.home()))
    local_slack.fail("users.conversations", error="missing_scope")
    local_slack.open_home()
    await local_slack.wait_for(lambda: "missing_scope" in words(local_slack.home()))


async def test_app_home_links_the_threads_of_what_was_posted_last(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel, other = local_slack.add_channel("gw"), local_slack.add_channel("other")
    await subscribe(factory, "CBC mock", channel)
    await subscribe(factory, "CBC mock", other)
    local_slack.workspace.leave(local_slack.workspace.channels[other], local_slack.user)
    await bot.pipeline.handle(to_avro(ms181101ab(NOW)[1]), Origin("test", "1", live=True))
    await local_slack.wait_for(lambda: local_slack.messages(channel) and local_slack.messages(other))
    await wait_until(lambda: factory.posted_events.newest(TEAM, [channel], 1))
    root = local_slack.messages(channel)[0]
    link = f"/archives/{channel}/p{root['ts'].replace('.', '')}|thread> in <#{channel}>"
    local_slack.fail("chat.getPermalink", error="message_not_found")
    local_slack.open_home()
    await local_slack.wait_for(lambda: "MS181101ab" in words(local_slack.home()))
    assert "|thread>" not in words(local_slack.home()), "Slack didn't tell the address"
    local_slack.open_home()
    await local_slack.wait_for(lambda: link in words(local_slack.home()))
    shown = words(local_slack.home())
    assert "MS181101ab" in shown and other not in shown, "channels of others are nobody's business"
    assert "`/gwevent visible MS181101ab`" not in shown, "nobody observes a mock"
    await factory.sites.add(TEAM, channel, [Site(name="Dome", latitude=1, longitude=2, height=3)], AUTHOR)
    local_slack.open_home()
    await local_slack.wait_for(lambda: "Sites: Dome" in words(local_slack.home()))


def end_button(message: Json, number: int) -> tuple[str, str]:
    """Return the action id and the value of the button that ends one subscription."""
    [found] = [
        e
        for b in message["blocks"]
        if b["type"] == "actions"
        for e in b["elements"]
        if e["action_id"] == f"{subscription_modal.END_ACTION}.{number}"
    ]
    return found["action_id"], found["value"]


async def answered(local_slack: LocalSlack, channel: str, said: str) -> None:
    await local_slack.wait_for(lambda: any(said in words(m) for m in local_slack.ephemerals(channel)))


async def test_end_button_ends_a_subscription_only_if_unchanged(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    for criteria in ("CBC", "Burst", "all mock"):
        await subscribe(factory, criteria, channel)
    listed = await (await typed(local_slack, channel, "subscriptions")).wait_for_answer(30)
    action, value = end_button(listed, 2)
    assert (await local_slack.press(channel, listed["ts"], action, value=value)).ok
    await answered(local_slack, channel, "Unsubscribed from *Burst*")
    await local_slack.wait_for(lambda: "ended subscription 2" in words(local_slack.messages(channel)[-1:]))
    assert await in_channel(factory, channel) == ["CBC", "all mock"]
    # Again, and one that was changed since: nothing is done, and what there is is said.
    assert (await local_slack.press(channel, listed["ts"], action, value=value)).ok
    await answered(local_slack, channel, "out of date")
    await (await typed(local_slack, channel, "edit 1 CBC mock")).wait_for_answer(30)
    action, value = end_button(listed, 1)
    assert (await local_slack.press(channel, listed["ts"], action, value=value)).ok
    await answered(local_slack, channel, "the channel has 1 (*CBC mock*), 3 (*all mock*)")
    assert await in_channel(factory, channel) == ["CBC mock", "all mock"]


@pytest.mark.slow
async def test_end_all_button_ends_the_listed_subscriptions_only(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    for criteria in ("CBC", "Burst"):
        await subscribe(factory, criteria, channel)
    asked = await (await typed(local_slack, channel, "unsubscribe")).wait_for_answer(30)
    assert "Nothing has ended yet" in words(asked)
    await subscribe(factory, "all mock", channel)
    assert (await local_slack.press(channel, asked["ts"], subscription_modal.END_ACTION)).ok
    await answered(local_slack, channel, "Unsubscribed from *CBC*, *Burst*")
    assert await in_channel(factory, channel) == ["all mock"], "what came meanwhile wasn't listed"
    await local_slack.wait_for(lambda: len(local_slack.messages(channel)) == 1)
    assert words(local_slack.messages(channel)).count("To restore it") == 2, "in one post"
    # In a thread, where there are no commands, by the same words.
    await local_slack.say("@gwevent unsubscribe", channel, thread_ts=local_slack.messages(channel)[0]["ts"])
    await answered(local_slack, channel, "To end it: `/gwevent unsubscribe 3`")
    assert await in_channel(factory, channel) == ["all mock"]
    asked = local_slack.ephemerals(channel)[-1]
    assert (await local_slack.press(channel, asked["ts"], f"{subscription_modal.END_ACTION}.3")).ok
    await answered(local_slack, channel, "Unsubscribed from *all mock*")
    assert local_slack.ephemerals(channel)[-1]["thread_ts"] == asked["thread_ts"] is not None


@pytest.mark.slow
async def test_changes_in_app_home_are_posted_in_the_channel(
    bot: Application, local_slack: LocalSlack, factory: Factory, clock: Clock
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "CBC mock", channel)
    local_slack.open_home()
    await local_slack.wait_for(lambda: home_tab.END_ACTION in words(local_slack.home()))
    stale = local_slack.home()
    assert stale is not None

    async def posted(said: str) -> None:
        clock.advance(minutes=1)
        bot.delivery_worker.wake()
        await local_slack.wait_for(lambda: any(said in words(m) for m in local_slack.messages(channel)))
        assert f"<@{local_slack.user}> {said}" in words(local_slack.messages(channel)[-1])

    await local_slack.view_action(home_tab.PAUSE_ACTION)
    await posted("paused subscription 1")
    await local_slack.wait_for(lambda: home_tab.RESUME_ACTION in words(local_slack.home()))
    await local_slack.view_action(home_tab.EDIT_ACTION)
    await opened(local_slack)
    assert (await local_slack.submit(filled(group="CBC", NS="30"))).ok
    await last_page(local_slack, "is now *CBC NS&gt;=0.3*")
    await posted("changed subscription 1 from *CBC mock* to *CBC NS&gt;=0.3*")
    await local_slack.wait_for(lambda: "NS&gt;=0.3" in words(local_slack.home()))
    # Somebody else changes it while this home is shown.
    await factory.subscriptions.pause(TEAM, channel, 1, ChangeAuthor("U0OTHER", clock()), resume=True)
    await local_slack.view_action(home_tab.END_ACTION)
    await local_slack.wait_for(lambda: "out of date" in words(local_slack.home()))
    assert await in_channel(factory, channel) == ["CBC NS>=0.3"]
    await local_slack.view_action(home_tab.END_ACTION)
    await local_slack.wait_for(lambda: "Unsubscribed from" in words(local_slack.home()))
    await posted("ended subscription 1")
    changes, total = await factory.subscriptions.history(TEAM, channel, 1)
    assert total == 5 and {change.changed_by for change in changes} == {local_slack.user, "U0OTHER", "U1"}


async def test_end_button_is_refused_without_permission(
    bot: Application, local_slack: LocalSlack, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "CBC", channel)
    listed = await (await typed(local_slack, channel, "subscriptions")).wait_for_answer(30)
    monkeypatch.setattr(
        bot.slack.listeners.router._authorizer, "_check_permission", ChannelPolicy("admins", {}).check
    )
    action, value = end_button(listed, 1)
    assert (await local_slack.press(channel, listed["ts"], action, value=value)).ok
    await answered(local_slack, channel, "Slack can't be asked yet who may do that")
    assert await in_channel(factory, channel) == ["CBC"]
    assert (await factory.subscriptions.history(TEAM, channel, 1))[1] == 1
    told = await (await typed(local_slack, channel, "subscriptions history")).wait_for_answer(30)
    assert "added: " in words(told), "anybody may read it"
