"""The workspace of a request, in channels where people of other workspaces act too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.slack.request_body import request_team, teams_in_request, uninstalled_team
from bot.store import schema
from formatters.answers.answer import SHARE_ACTION
from formatters.views import home_tab, subscription_modal
from tests.bot.listeners.test_subscription_modal import filled
from tests.support.factories import NOW, REAL, TEAM, decoded_notice, record_notices, subscribe
from tests.support.observing import say_observing

OURS, OTHER, THEIRS = "T0OURS", "T0OTHER", "T0THEIRS"
PATIENCE_S = 20.0

Json = dict[str, Any]


def event(kind: str, own: str, persons: str) -> Json:
    """Return an event as Slack sends it from a shared channel: `team_id` is the person's."""
    return {
        "type": "event_callback",
        "team_id": persons,
        "context_team_id": own,
        "event": {"type": kind, "user": "U1", "team": persons, "user_team": persons, "channel": "C1"},
        "authorizations": [{"team_id": own, "enterprise_id": None, "is_enterprise_install": False}],
    }


def pressed(own: str, persons: str) -> Json:
    return {
        "type": "block_actions",
        "team": {"id": persons, "domain": "x"},
        "user": {"id": "U1", "team_id": persons},
        "channel": {"id": "C1"},
        "message": {"ts": "1.0", "team": own, "bot_id": "B1"},
        "actions": [{}],
    }


def in_view(kind: str, own: str, persons: str) -> Json:
    return {
        "type": kind,
        "team": {"id": persons},
        "user": {"id": "U1", "team_id": persons},
        "view": {"id": "V1", "team_id": persons, "app_installed_team_id": own},
    }


EVENTS = (
    "app_home_opened",
    "app_mention",
    "channel_id_changed",
    "channel_unarchive",
    "group_unarchive",
    "member_joined_channel",
)
BODIES: dict[str, Callable[[str, str], Json]] = {
    "press": pressed,
    **{kind: partial(event, kind) for kind in EVENTS},
    **{kind: partial(in_view, kind) for kind in ("block_actions", "view_submission", "view_closed")},
}


@pytest.mark.parametrize("persons", [OURS, OTHER, THEIRS])
@pytest.mark.parametrize("installed", [{OURS}, {OURS, OTHER}], ids=["one", "many"])
@pytest.mark.parametrize("kind", BODIES)
def test_the_installation_counts_and_not_the_person(kind: str, installed: set[str], persons: str) -> None:
    assert request_team(BODIES[kind](OURS, persons), installed) == OURS


@pytest.mark.parametrize("kind", BODIES)
def test_an_installation_of_an_organisation_names_no_team(kind: str) -> None:
    """`team` and the authorization's `team_id` are null, so the other fields decide."""
    body = BODIES[kind](OURS, OURS)
    body["team"] = None
    for one in body.get("authorizations", ()):
        one |= {"team_id": None, "enterprise_id": "E1", "is_enterprise_install": True}
    assert request_team(body, {OURS}) == OURS


def test_a_command_names_its_typists_workspace_alone() -> None:
    body = {"command": "/gwevent", "team_id": THEIRS, "channel_id": "C1", "user_id": "U1"}
    assert teams_in_request(body) == (THEIRS,) and request_team(body, {OURS}) is None


NAMES = ("team", "team_id", "id", "view", "message", "user", "authorizations", "app_installed_team_id")


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    )
)
def test_malformed_bodies_are_read_without_error(found: object) -> None:
    body: Mapping[str, Any] = found if isinstance(found, dict) else {"team": found}
    named = teams_in_request(body)
    assert all(isinstance(team, str) and team for team in named) and len(set(named)) == len(named)
    assert request_team(body, named) == (named[0] if named else None)


def test_nothing_is_forgotten_where_two_workspaces_are_named() -> None:
    gone = event("app_uninstalled", OURS, OURS)
    assert uninstalled_team(gone) == OURS
    assert uninstalled_team(gone | {"team_id": OTHER}) is None
    del gone["authorizations"]
    assert uninstalled_team(gone) == OURS


# One workspace, and a guest from elsewhere in a channel of it.


@pytest.fixture
async def shared(bot: Application, local_slack: LocalSlack) -> tuple[str, str]:
    """A channel, and a person of another workspace in it."""
    channel = local_slack.add_channel("shared")
    return channel, local_slack.share(channel)


async def stored_teams(factory: Factory) -> set[str]:
    found: set[str] = set()
    async with factory.database.read_transaction() as connection:
        for table in (schema.subscriptions, schema.channel_sites, schema.channel_conditions):
            found |= set((await connection.execute(select(table.c.team_id))).scalars())
    return found


@pytest.mark.slow
async def test_a_guest_mentions_and_subscribes(
    bot: Application, local_slack: LocalSlack, factory: Factory, shared: tuple[str, str]
) -> None:
    channel, guest = shared
    await local_slack.say("@gwevent subscribe CBC", channel, user=guest)
    await local_slack.wait_for(lambda: local_slack.ephemerals(channel, guest), PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S):
        while not await factory.subscriptions.for_channel(TEAM, channel):
            await asyncio.sleep(0.02)
    assert await stored_teams(factory) == {local_slack.team_id}
    await record_notices(factory, decoded_notice())
    bot.delivery_worker.wake()
    await local_slack.wait_for(lambda: len(local_slack.messages(channel)) == 3, PATIENCE_S)
    root = local_slack.messages(channel)[-1]
    await say_observing(local_slack, channel, root["ts"], guest)
    await local_slack.wait_for(lambda: guest in json.dumps(local_slack.messages(channel)[-1]), PATIENCE_S)
    await local_slack.say("@gwevent sites add MyDome 34.2 -116.9 1700", channel, user=guest)
    await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel, guest)) == 2, PATIENCE_S)
    assert await stored_teams(factory) == {local_slack.team_id}


async def test_a_guest_shares_an_answer_that_only_they_see(
    bot: Application, local_slack: LocalSlack, factory: Factory, shared: tuple[str, str]
) -> None:
    channel, guest = shared
    await record_notices(factory, decoded_notice())
    await local_slack.say(f"@gwevent {REAL}", channel, user=guest)
    await local_slack.wait_for(lambda: local_slack.ephemerals(channel, guest), PATIENCE_S)
    done = await local_slack.press(
        channel, local_slack.ephemerals(channel, guest)[0]["ts"], SHARE_ACTION, user=guest
    )
    assert done.ok
    await local_slack.wait_for(lambda: len(local_slack.messages(channel)) == 2, PATIENCE_S)


async def test_a_guest_opens_the_dialog_and_the_home(
    bot: Application, local_slack: LocalSlack, factory: Factory, shared: tuple[str, str]
) -> None:
    channel, guest = shared
    await subscribe(factory, "CBC", channel)
    await local_slack.say("@gwevent dialog", channel, user=guest)
    await local_slack.wait_for(lambda: local_slack.ephemerals(channel, guest), PATIENCE_S)
    invitation = local_slack.ephemerals(channel, guest)[0]
    (action,) = {
        element["action_id"]
        for block in invitation["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == f"{subscription_modal.OPEN_ACTION}.1"
    }
    await local_slack.press(channel, invitation["ts"], action, user=guest)
    await local_slack.wait_for(lambda: (local_slack.view(guest) or {}).get("submit"), PATIENCE_S)
    before = len([call for call in local_slack.calls if call.method == "views.update"])
    await local_slack.view_action(subscription_modal.PREVIEW_ACTION, user=guest)
    await local_slack.wait_for(
        lambda: len([call for call in local_slack.calls if call.method == "views.update"]) > before,
        PATIENCE_S,
    )
    assert (await local_slack.submit(filled(group="Burst"), user=guest)).ok
    (changed,) = await factory.subscriptions.for_channel(TEAM, channel)
    assert changed.criteria.canonical == "Burst"
    await local_slack.close_view(user=guest)
    local_slack.open_home(guest)
    await local_slack.wait_for(lambda: local_slack.home(guest), PATIENCE_S)
    await local_slack.view_action(home_tab.PAUSE_ACTION, view_id=local_slack.home(guest)["id"], user=guest)  # type: ignore[index]
    await local_slack.wait_for(
        lambda: home_tab.RESUME_ACTION in json.dumps(local_slack.home(guest)), PATIENCE_S
    )
    assert await stored_teams(factory) == {local_slack.team_id}


async def test_a_guests_command_is_taken_where_the_channel_is_ours(
    bot: Application, local_slack: LocalSlack, factory: Factory, shared: tuple[str, str]
) -> None:
    """Slack names only the person's workspace, so the bot asks whether it can see the channel."""
    channel, guest = shared
    done = await local_slack.command("/gwevent", "subscribe CBC", channel=channel, user=guest)
    assert "Done" in (await done.wait_for_answer(PATIENCE_S))["text"]
    assert await stored_teams(factory) == {local_slack.team_id}


@pytest.mark.parametrize("fault", ["channel_not_found", "internal_error", "a_new_word"])
async def test_a_guests_command_elsewhere_is_refused_with_a_sentence(
    bot: Application, local_slack: LocalSlack, factory: Factory, shared: tuple[str, str], fault: str
) -> None:
    channel, guest = shared
    local_slack.fail("conversations.info", error=fault, times=None)
    done = await local_slack.command("/gwevent", "subscribe CBC", channel=channel, user=guest)
    said = (await done.wait_for_answer(PATIENCE_S))["text"]
    assert "isn't installed in the workspace" in said and "mention @gwevent" in said
    assert await stored_teams(factory) == set() and local_slack.messages(channel) == []


async def test_an_admin_of_another_workspace_is_none_here(bot: Application, local_slack: LocalSlack) -> None:
    local_slack.grant("users:read")
    guest = local_slack.share(local_slack.add_channel("shared"))
    for user in (guest, local_slack.user):
        local_slack.workspace.users[user].is_admin = True
    client = bot.delivery_worker._clients[TEAM]
    assert await client.is_admin(local_slack.user, TEAM)
    assert not await client.is_admin(guest, TEAM)


# What was stored under a workspace that isn't installed, as e8f3c8d did.


@pytest.fixture
async def with_strays(local_slack: LocalSlack, factory: Factory) -> AsyncIterator[tuple[str, str]]:
    """Two channels subscribed by people of another workspace: the bot sees one of them."""
    channel = local_slack.add_channel("shared")
    local_slack.share(channel)
    for where in (channel, "C0NOWHERE"):
        await subscribe(factory, "CBC", where, team=THEIRS)
    yield channel, "C0NOWHERE"


async def test_orphaned_channels_are_reassigned(
    with_strays: tuple[str, str], bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel, nowhere = with_strays
    async with asyncio.timeout(PATIENCE_S):
        while not await factory.subscriptions.for_channel(TEAM, channel):
            await asyncio.sleep(0.02)
    assert await factory.channel_moves.list_foreign_channels({TEAM}) == [(THEIRS, nowhere)]
    await record_notices(factory, decoded_notice(), now=NOW)
    bot.delivery_worker.wake()
    await local_slack.wait_for(lambda: len(local_slack.messages(channel)) == 1, PATIENCE_S)


# A channel that Slack gives another id.


@pytest.mark.slow
async def test_a_channel_that_gets_another_id_goes_on(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "CBC", channel)
    await record_notices(factory, decoded_notice())
    bot.delivery_worker.wake()
    await local_slack.wait_for(lambda: local_slack.messages(channel), PATIENCE_S)
    new = local_slack.convert(channel)
    async with asyncio.timeout(PATIENCE_S):
        while not await factory.subscriptions.for_channel(TEAM, new):
            await asyncio.sleep(0.02)
    await record_notices(factory, decoded_notice(alert_type="UPDATE", minutes=5, far=1e-12))
    bot.delivery_worker.wake()
    await local_slack.wait_for(lambda: len(local_slack.messages(new)) == 2, PATIENCE_S)
    root, reply = local_slack.messages(new)
    assert reply["thread_ts"] == root["ts"], "in the thread that was there before"


async def test_a_missed_change_is_seen_and_made_good_later(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    """The bot was down when Slack renamed a channel: the alert waits for the event."""
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "CBC", channel)
    local_slack.events.subscribed.discard("channel_id_changed")
    new = local_slack.convert(channel)
    local_slack.events.subscribed.add("channel_id_changed")
    await record_notices(factory, decoded_notice())
    bot.delivery_worker.wake()
    async with asyncio.timeout(PATIENCE_S):
        while not await factory.channel_moves.list_unreachable_channels():
            await asyncio.sleep(0.02)
    event = {"type": "channel_id_changed", "old_channel_id": channel, "new_channel_id": new}
    for _ in range(2):
        local_slack.events.emit(local_slack.workspace, event)
    await local_slack.wait_for(lambda: len(local_slack.messages(new)) == 1, PATIENCE_S)
    assert await factory.channel_moves.list_unreachable_channels() == []
