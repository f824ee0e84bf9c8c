"""The buttons and the menu below an event's card, on the local Slack with the real bot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.local_slack.user_actions import ActionResult
from bot.store import schema
from bot.store.outbox.escalation_writer import NewEscalation, begin_escalations
from formatters.models.escalation import EscalationStep
from formatters.models.notice import Notice
from formatters.posts.event_buttons import ACKNOWLEDGE_ACTION, CHECK_ACTION, MENU_ACTION
from formatters.views import check_modal
from tests.support.factories import MOCK, NOW, REAL, TEAM, decoded_notice, record_notices, subscribe

PATIENCE_S = 20.0
STEPS = (EscalationStep(after=timedelta(hours=1), targets=("<@U0SECOND>",)),)
Json = dict[str, Any]


async def posted(
    bot: Application, local_slack: LocalSlack, factory: Factory, *notices: Notice, words: str = "CBC"
) -> str:
    """Return a channel that has the card of these notices."""
    channel = local_slack.add_channel("gw")
    await subscribe(factory, words, channel)
    await record_notices(factory, *(notices or (decoded_notice(),)))
    bot.delivery_worker.wake()
    await local_slack.wait_for(lambda: root(local_slack, channel), PATIENCE_S)
    return channel


def root(local_slack: LocalSlack, channel: str) -> Json | None:
    """Return the newest card of a channel."""
    cards = [one for one in local_slack.messages(channel) if MENU_ACTION in json.dumps(one["blocks"])]
    return cards[-1] if cards else None


async def escalate(bot: Application, factory: Factory, channel: str) -> None:
    """Have the channel wait for somebody who takes its event, as a mention with steps does."""
    async with factory.database.exclusive_transaction() as connection:
        query = select(schema.threads.c.id).where(schema.threads.c.channel_id == channel)
        thread = (await connection.execute(query)).scalar_one()
        begun = NewEscalation(channel=(TEAM, channel), steps=STEPS, thread_id=thread)
        await begin_escalations(connection, [begun], NOW)
    await edited(bot, factory, channel)


async def edited(bot: Application, factory: Factory, channel: str) -> None:
    """Have the card edited."""
    me = "U0NOBODY"
    for _ in range(2):
        await factory.observers.toggle(TEAM, channel, REAL, me, NOW)
    bot.delivery_worker.wake()


async def until(local_slack: LocalSlack, holds: Callable[[], bool]) -> None:
    await local_slack.wait_for(holds, PATIENCE_S)


def has(local_slack: LocalSlack, channel: str, words: str) -> bool:
    card = root(local_slack, channel)
    return card is not None and words in json.dumps(card["blocks"], ensure_ascii=False)


async def press(
    local_slack: LocalSlack, channel: str, action: str, user: str | None = None, card: Json | None = None
) -> str:
    """Press a button of the card, and return the answer that only this person sees."""
    card = card or root(local_slack, channel)
    assert card is not None
    done = await local_slack.press(channel, card["ts"], action, user=user)
    assert done.ok
    return text_of(await done.wait_for_answer(PATIENCE_S))


async def choose(local_slack: LocalSlack, channel: str, verb: str, user: str | None = None) -> ActionResult:
    """Choose from the card's menu."""
    card = root(local_slack, channel)
    assert card is not None
    return await local_slack.press(channel, card["ts"], MENU_ACTION, f"{verb} {REAL}", user=user)


def text_of(answer: Json) -> str:
    assert answer["ephemeral"]
    return str(answer["text"]).replace("\u00a0", " ")


async def waiting(bot: Application, local_slack: LocalSlack, factory: Factory) -> str:
    channel = await posted(bot, local_slack, factory)
    await escalate(bot, factory, channel)
    await until(local_slack, lambda: has(local_slack, channel, ACKNOWLEDGE_ACTION))
    return channel


async def test_the_first_press_takes_the_event_and_every_other_changes_nothing(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await waiting(bot, local_slack, factory)
    me, colleague = local_slack.user, local_slack.colleague
    stale = root(local_slack, channel)
    assert stale is not None and "I'm observing" not in json.dumps(stale)
    first = await press(local_slack, channel, ACKNOWLEDGE_ACTION)
    assert first.startswith(f"{REAL}: you have it now, since ")
    await until(local_slack, lambda: has(local_slack, channel, f"On it: <@{me}> since "))
    assert not has(local_slack, channel, ACKNOWLEDGE_ACTION) and has(local_slack, channel, "I'm observing")
    async with factory.database.read_transaction() as connection:
        states = (await connection.execute(select(schema.escalation_steps.c.state))).scalars().all()
    assert states == ["cancelled"]
    # A card that somebody's phone still shows: the local Slack doesn't know its button any more.
    local_slack.workspace.message(local_slack.workspace.channels[channel], stale["ts"]).blocks = stale[
        "blocks"
    ]
    assert (await press(local_slack, channel, ACKNOWLEDGE_ACTION)).startswith(
        f"{REAL}: you have had it since "
    )
    late = await press(local_slack, channel, ACKNOWLEDGE_ACTION, colleague)
    assert late.startswith(f"{REAL}: <@{me}> has had it since ") and late.endswith("Nothing was changed.")


@pytest.mark.slow
async def test_two_who_press_at_once_both_learn_who_has_it(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await waiting(bot, local_slack, factory)
    people = (local_slack.user, local_slack.colleague)
    said = await asyncio.gather(
        *(press(local_slack, channel, ACKNOWLEDGE_ACTION, user) for user in (*people, *people))
    )
    assert sum("you have it now" in one for one in said) == 1
    assert sum("you have had it since" in one for one in said) == 1
    assert sum("has had it since" in one for one in said) == 2


@pytest.mark.slow
async def test_who_has_it_gives_it_back_and_nobody_else_can(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await waiting(bot, local_slack, factory)
    await press(local_slack, channel, ACKNOWLEDGE_ACTION)
    await until(local_slack, lambda: has(local_slack, channel, "I no longer have it"))
    done = await choose(local_slack, channel, "handback", local_slack.colleague)
    refused = text_of(await done.wait_for_answer(PATIENCE_S))
    assert f"you don't have it: <@{local_slack.user}> has had it since" in refused
    done = await choose(local_slack, channel, "handback")
    given = text_of(await done.wait_for_answer(PATIENCE_S))
    assert "you no longer have it, and nobody has. Whoever is next is called" in given
    await until(local_slack, lambda: has(local_slack, channel, ACKNOWLEDGE_ACTION))
    assert not has(local_slack, channel, "On it:")


@pytest.mark.slow
async def test_a_retracted_event_cannot_be_taken(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await waiting(bot, local_slack, factory)
    stale = root(local_slack, channel)
    await record_notices(factory, decoded_notice(alert_type="RETRACTION", minutes=5))
    bot.delivery_worker.wake()
    await until(local_slack, lambda: has(local_slack, channel, "RETRACTED"))
    assert not has(local_slack, channel, ACKNOWLEDGE_ACTION)
    assert stale is not None
    local_slack.workspace.message(local_slack.workspace.channels[channel], stale["ts"]).blocks = stale[
        "blocks"
    ]
    assert "was retracted, so there is nothing to take" in await press(
        local_slack, channel, ACKNOWLEDGE_ACTION
    )


@pytest.mark.slow
async def test_a_card_that_is_no_longer_known_says_so(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await waiting(bot, local_slack, factory)
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(delete(schema.deliveries))
        await connection.execute(delete(schema.threads))
    said = await press(local_slack, channel, ACKNOWLEDGE_ACTION)
    assert said == f"{REAL}: gwevent keeps no message of it in this channel any more, so nothing was changed."


@pytest.mark.slow
async def test_a_guest_of_another_workspace_takes_an_event_in_a_shared_channel(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await waiting(bot, local_slack, factory)
    guest = local_slack.share(channel)
    card = root(local_slack, channel)
    assert card is not None
    done = await local_slack.press(channel, card["ts"], ACKNOWLEDGE_ACTION, user=guest)
    assert done.ok
    await until(local_slack, lambda: has(local_slack, channel, f"On it: <@{guest}> since "))
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(select(schema.event_actions))).all()
    assert [(row.team_id, row.user_id) for row in rows] == [(TEAM, guest)]


@pytest.mark.slow
async def test_an_event_is_muted_and_unmuted_from_the_menu(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await posted(bot, local_slack, factory)
    done = await choose(local_slack, channel, "mute")
    assert f"{REAL}: it is now muted here, since " in text_of(await done.wait_for_answer(PATIENCE_S))
    async with factory.database.read_transaction() as connection:
        assert (await connection.execute(select(schema.muted_threads.c.muted_by))).scalars().all() == [
            local_slack.user
        ]
    await until(local_slack, lambda: has(local_slack, channel, "Unmute here"))
    assert has(local_slack, channel, f"Muted here by <@{local_slack.user}>")
    done = await choose(local_slack, channel, "unmute", local_slack.colleague)
    assert "it is no longer muted here" in text_of(await done.wait_for_answer(PATIENCE_S))
    await until(local_slack, lambda: has(local_slack, channel, "Mute here"))


@pytest.mark.slow
async def test_a_muted_card_still_says_who_has_the_event(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await waiting(bot, local_slack, factory)
    await choose(local_slack, channel, "mute")
    await until(local_slack, lambda: has(local_slack, channel, "Muted here by"))
    await press(local_slack, channel, ACKNOWLEDGE_ACTION, local_slack.colleague)
    await until(local_slack, lambda: has(local_slack, channel, f"On it: <@{local_slack.colleague}> since "))


async def test_the_history_is_answered_to_who_asks(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await posted(bot, local_slack, factory)
    done = await choose(local_slack, channel, "history", local_slack.colleague)
    answer = await done.wait_for_answer(PATIENCE_S)
    assert REAL in text_of(answer) and "PRELIMINARY" in json.dumps(answer["blocks"])


async def test_a_link_in_the_menu_needs_no_answer(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await posted(bot, local_slack, factory)
    card = root(local_slack, channel)
    assert card is not None
    done = await local_slack.press(channel, card["ts"], MENU_ACTION, "link.circulars")
    assert done.ok and done.answers == []


# Check position


def typed(words: str) -> Json:
    return {check_modal.POSITIONS: {"value": {"type": "plain_text_input", "value": words}}}


async def open_dialog(local_slack: LocalSlack, channel: str, user: str | None = None) -> Json:
    card = root(local_slack, channel)
    assert card is not None
    assert (await local_slack.press(channel, card["ts"], CHECK_ACTION, user=user)).ok
    await local_slack.wait_for(lambda: local_slack.view(user), PATIENCE_S)
    view = local_slack.view(user)
    assert view is not None
    return view


async def test_positions_are_checked_in_a_dialog_and_answered_to_one_person(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await posted(bot, local_slack, factory)
    view = await open_dialog(local_slack, channel, local_slack.colleague)
    assert REAL in json.dumps(view["blocks"][0])
    done = await local_slack.submit(
        typed("AT2026abc 197.45 -23.381\n13h09m48s -23d22m53s"), user=local_slack.colleague
    )
    assert done.ok and local_slack.view(local_slack.colleague) is None
    (answer,) = local_slack.ephemerals(channel, local_slack.colleague)
    assert REAL in answer["text"] and answer["thread_ts"] is None
    assert local_slack.ephemerals(channel, local_slack.user) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("here or there", "RA"),
        (f"197.45 -23.381 {MOCK}", f"Here positions are compared with {REAL} only: leave {MOCK} out"),
        ("197.45", ""),
    ],
)
async def test_what_cannot_be_read_is_said_in_the_dialog_which_keeps_it(
    bot: Application, local_slack: LocalSlack, factory: Factory, words: str, said: str
) -> None:
    channel = await posted(bot, local_slack, factory)
    await open_dialog(local_slack, channel)
    done = await local_slack.submit(typed(words))
    assert not done.ok and said in done.errors[check_modal.POSITIONS]
    assert "`" not in done.errors[check_modal.POSITIONS]
    assert local_slack.view() is not None and local_slack.ephemerals(channel) == []
    assert (await local_slack.submit(typed(f"197.45 -23.381 {REAL}"))).ok
    assert len(local_slack.ephemerals(channel)) == 1


async def test_an_answer_that_slack_does_not_show_in_the_channel_stays_in_the_dialog(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = await posted(bot, local_slack, factory)
    await open_dialog(local_slack, channel)
    local_slack.fail("chat.postEphemeral", error="user_not_in_channel", times=10)
    assert (await local_slack.submit(typed("197.45 -23.381"))).ok
    view = local_slack.view()
    assert view is not None and REAL in json.dumps(view["blocks"]) and not view["submit"]


async def test_an_answer_that_takes_long_comes_into_the_dialog(
    bot: Application, local_slack: LocalSlack, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await posted(bot, local_slack, factory)
    await open_dialog(local_slack, channel)
    slow = bot.slack.listeners.check_modal
    monkeypatch.setattr(slow, "_submit_timeout_s", 0.0)
    assert (await local_slack.submit(typed("197.45 -23.381"))).ok
    await local_slack.wait_for(lambda: f"{REAL} has no sky map" in json.dumps(local_slack.view()), PATIENCE_S)


async def test_an_event_with_an_unusual_id_has_the_same_buttons(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    odd = "Odd-event 7"
    await record_notices(factory, decoded_notice())
    channel = await posted(bot, local_slack, factory, decoded_notice(odd))
    card = root(local_slack, channel)
    assert card is not None
    done = await local_slack.press(channel, card["ts"], MENU_ACTION, f"history {odd}")
    assert odd in text_of(await done.wait_for_answer(PATIENCE_S))
    await open_dialog(local_slack, channel)
    done = await local_slack.submit(typed("197.45 -23.381"))
    assert done.ok, done.errors
    assert odd in local_slack.ephemerals(channel)[-1]["text"]


async def test_the_first_post_has_the_button_of_its_mention(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    rule = "CBC notify @here if NS escalate 60min <@U0SECOND>"
    channel = await posted(bot, local_slack, factory, words=rule)
    (first,) = [call for call in local_slack.calls if call.method == "chat.postMessage"]
    assert ACKNOWLEDGE_ACTION in str(first.args["blocks"]) and "<!here>" in str(first.args["text"])
    assert "you have it now" in await press(local_slack, channel, ACKNOWLEDGE_ACTION)


@pytest.mark.slow
async def test_a_mention_in_the_thread_can_be_answered_by_its_button(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    bbh = {"BNS": 0.0, "NSBH": 0.0, "BBH": 0.99, "Terrestrial": 0.01}
    no_light = {"HasNS": 0.0, "HasRemnant": 0.0, "HasMassGap": 0.0}
    before = decoded_notice(classification=bbh, properties=no_light)
    rule = "CBC notify @here if NS escalate 60min <@U0SECOND>"
    channel = await posted(bot, local_slack, factory, before, words=rule)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=5))
    bot.delivery_worker.wake()

    def mentioned() -> Json | None:
        found = [one for one in local_slack.messages(channel) if "<!here>" in one["text"]]
        return found[-1] if found else None

    await until(local_slack, lambda: mentioned() is not None)
    said = mentioned()
    assert said is not None and ACKNOWLEDGE_ACTION in json.dumps(said["blocks"])
    await until(local_slack, lambda: has(local_slack, channel, ACKNOWLEDGE_ACTION))
    assert "you have it now" in await press(local_slack, channel, ACKNOWLEDGE_ACTION, card=said)
    await until(local_slack, lambda: has(local_slack, channel, "On it:"))
