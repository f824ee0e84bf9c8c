"""Many workspaces: installed by OAuth, served by signed requests, each with its own token, then deleted."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from sqlalchemy import func, select

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.app_manifest import EVENTS
from bot.local_slack.server import LocalSlack
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings, SettingsError
from bot.slack.token_cipher import TokenCipher, generate_key
from bot.slack.workspaces import WorkspaceRegistry
from bot.store import schema
from bot.store.channels.installations import InstalledWorkspace, workspace_tables
from bot.store.database import StoreUnavailable
from formatters.answers.answer import SHARE_ACTION
from tests.bot.store.channels.test_installations import ONE
from tests.support.delivery_harness import IdleSource
from tests.support.factories import NOW, REAL, Clock, decoded_notice, record_notices
from tests.support.observing import say_observing

PATIENCE_S = 60


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A local Slack in which the app isn't installed yet."""
    events = EVENTS | {"app_uninstalled", "tokens_revoked"}
    local = LocalSlack(limits=False, file_delay=0.0, events=events)
    local.workspace.bot_token = ""
    local.add_team("Telescope", installed=False).add_user("tess", "Tess Telescope")
    await local.start()
    yield local
    await local.stop()


def settings(slack: LocalSlack, port: int, **changed: Any) -> Settings:
    return Settings.model_validate(
        {
            "slack_client_id": slack.oauth.client_id,
            "slack_client_secret": slack.oauth.client_secret,
            "slack_signing_secret": slack.delivery.signing_secret,
            "slack_api_url": slack.api_url,
            "secret_keys": generate_key(),
            "public_url": f"http://127.0.0.1:{port}",
            "http_port": port,
            "gracedb_url": "off",
        }
        | changed
    )


@pytest.fixture
async def bot(
    slack: LocalSlack,
    factory: Factory,
    clock: Clock,
    unused_tcp_port: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Application]:
    """A bot that serves many workspaces; the parameter holds further settings."""
    # As where gwevent runs: Bolt reads these by itself, and must not put a store of its own in place of ours.
    monkeypatch.setenv("SLACK_CLIENT_ID", slack.oauth.client_id)
    monkeypatch.setenv("SLACK_CLIENT_SECRET", slack.oauth.client_secret)
    monkeypatch.setenv("SLACK_SIGNING_SECRET", slack.delivery.signing_secret)
    changed = getattr(request, "param", {})
    made_bot = Application(settings(slack, unused_tcp_port, **changed), factory, [IdleSource()], clock)
    stop = asyncio.Event()
    running = asyncio.create_task(made_bot.run(stop))
    async with asyncio.timeout(PATIENCE_S):
        await made_bot.ready.wait()
    await slack.deliver_to(f"http://127.0.0.1:{unused_tcp_port}/slack/events")
    yield made_bot
    stop.set()
    await running


async def browse(bot: Application, team: str, *, cookie: bool = True) -> tuple[int, str]:
    """Follow the pages of an installation as a browser does; return the last one."""
    home = f"http://127.0.0.1:{bot.http_port}"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        async with session.get(f"{home}/slack/install") as page:
            kept = page.headers["Set-Cookie"].split(";")[0]
            assert "HttpOnly" in page.headers["Set-Cookie"] and "Secure" in page.headers["Set-Cookie"]
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
            assert page.headers["Referrer-Policy"] == "no-referrer"
            address = re.search(r'href="([^"]+/oauth/v2/authorize[^"]*)"', await page.text())
        assert address is not None
        query = urlsplit(address[1].replace("&amp;", "&")).query
        asked = {key: value[0] for key, value in parse_qs(query).items()}
        allow = address[1].split("?")[0].replace("/authorize", "/allow")
        async with session.get(allow, params=asked | {"team": team}, allow_redirects=False) as consent:
            back = consent.headers["Location"]
        async with session.get(back, headers={"Cookie": kept} if cookie else {}) as end:
            return end.status, await end.text()


async def installed(bot: Application, slack: LocalSlack, team: str) -> None:
    status, page = await browse(bot, team)
    assert (status, "is installed" in page) == (200, True)
    await slack.wait_for(lambda: team in bot.delivery_worker._clients, PATIENCE_S)


@pytest.mark.slow
async def test_two_workspaces_come_and_one_goes(
    bot: Application, slack: LocalSlack, factory: Factory, clock: Clock
) -> None:
    teams = list(slack.workspaces)
    for team in teams:
        await installed(bot, slack, team)
        workspace = slack.workspaces[team]
        person = workspace.people()[0]
        await slack.wait_for(lambda: workspace.open_direct(person.id).messages, PATIENCE_S)  # noqa: B023
        (welcome,) = workspace.open_direct(person.id).messages.values()
        assert "/gwevent subscribe CBC" in welcome.text
    channels = {team: slack.add_channel("gw", team=team) for team in teams}
    for channel in channels.values():
        asked = await slack.command("/gwevent", "subscribe CBC", channel=channel)
        assert "Done" in (await asked.wait_for_answer(PATIENCE_S))["text"]
    await record_notices(factory, decoded_notice())
    bot.delivery_worker.wake()
    for team, channel in channels.items():
        await slack.wait_for(lambda: len(slack.messages(channel)) == 2, PATIENCE_S)  # noqa: B023
        posts = [call for call in slack.calls if call.method == "chat.postMessage" and call.team == team]
        assert {call.args["channel"] for call in posts} <= set(slack.workspaces[team].channels) | {
            person.id for person in slack.workspaces[team].people()
        }, "by its own token"
    async with factory.database.read_transaction() as connection:
        kept = (await connection.execute(select(schema.installations.c.token))).scalars().all()
    tokens = [workspace.bot_token for workspace in slack.workspaces.values()]
    assert len(kept) == 2 and not any(token in closed for token in tokens for closed in kept)

    gone, stays = teams
    slack.uninstall(team=gone)
    await slack.wait_for(lambda: gone not in bot.delivery_worker._clients, PATIENCE_S)
    async with factory.database.read_transaction() as connection:
        for table in workspace_tables():
            if "team_id" in table.c:
                left = select(func.count()).select_from(table).where(table.c.team_id == gone)
                assert (await connection.execute(left)).scalar_one() == 0, table.name
    await record_notices(factory, decoded_notice(alert_type="UPDATE", minutes=5, far=1e-12))
    bot.delivery_worker.wake()
    await slack.wait_for(lambda: len(slack.messages(channels[stays])) == 3, PATIENCE_S)
    assert len(slack.messages(channels[gone])) == 2

    await installed(bot, slack, gone)
    async with factory.database.read_transaction() as connection:
        rows = await connection.execute(select(func.count()).select_from(schema.installations))
    assert rows.scalar_one() == 2


@pytest.mark.parametrize("bot", [{"who_may_subscribe": "admins"}], indirect=True)
async def test_an_installation_asks_for_the_scope_by_which_admins_are_known(
    bot: Application, slack: LocalSlack
) -> None:
    await installed(bot, slack, slack.team_id)
    asked = await slack.command("/gwevent", "subscribe CBC", channel=slack.add_channel("gw"))
    said = (await asked.wait_for_answer(PATIENCE_S))["text"]
    assert "users:read" not in said and ("Done" in said or "Only admins" in said)


async def test_only_the_browser_that_began_may_end(
    bot: Application, slack: LocalSlack, factory: Factory
) -> None:
    status, page = await browse(bot, slack.team_id, cookie=False)
    assert status == 400 and "not installed" in page
    assert await factory.installations.list_all() == []


async def test_unsigned_and_foreign_requests_change_nothing(bot: Application, slack: LocalSlack) -> None:
    await installed(bot, slack, slack.team_id)
    url = f"http://127.0.0.1:{bot.http_port}/slack/events"
    place = {"team_id": slack.team_id, "channel_id": "C", "user_id": "U"}
    command = {"command": "/gwevent", "text": "latest", **place}
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=command) as unsigned:
            assert unsigned.status == 401
        headers = {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=00"}
        async with session.post(url, data=command, headers=headers) as forged:
            assert forged.status == 401
        for large in (io.BytesIO(b"x" * 1_100_000), _in_chunks(b"x" * 100_000, 11)):
            async with session.post(url, data=large) as refused:
                assert refused.status == 413
    other = next(team for team in slack.workspaces if team != slack.team_id)
    stranger = slack.workspaces[other]
    slack.install(stranger, ["commands"])
    done = await slack.command("/gwevent", "latest", channel=slack.add_channel("gw", team=other))
    said = await done.wait_for_answer(PATIENCE_S)
    assert "/slack/install installs it." in said["text"], "an unknown workspace is told so"


async def _in_chunks(piece: bytes, times: int) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield piece


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"is_enterprise_install": True}, "choose a workspace."),
        ({"refresh_token": "xoxe-1", "expires_in": 43_200}, "switch token rotation off."),
    ],
)
async def test_a_failed_installation_shows_a_sentence(
    bot: Application,
    slack: LocalSlack,
    factory: Factory,
    monkeypatch: pytest.MonkeyPatch,
    told: dict[str, Any],
    said: str,
) -> None:
    exchange = slack.oauth.exchange
    hooks = replace(slack._web_api._hooks, exchange_code=lambda *asked: exchange(*asked) | told)
    monkeypatch.setattr(slack._web_api, "_hooks", hooks)
    status, page = await browse(bot, slack.team_id)
    assert status >= 400 and "not installed" in page and said in page
    assert await factory.installations.list_all() == []


async def test_an_installation_to_which_slack_says_nothing(
    bot: Application, slack: LocalSlack, factory: Factory
) -> None:
    slack.fail("oauth.v2.access", drop="before")
    status, page = await browse(bot, slack.team_id)
    assert (status, page) == (502, "Slack didn't answer; begin again.")
    assert await factory.installations.list_all() == []


async def test_uninstalled_workspace_is_deleted_once_the_store_answers(
    bot: Application, slack: LocalSlack, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installed(bot, slack, slack.team_id)
    forget, asked = factory.installations.delete_workspace, []

    async def locked_at_first(team_id: str, *about: Any, at: datetime | None = None) -> bool:
        asked.append(team_id)
        if len(asked) == 1:
            raise StoreUnavailable("locked")
        return await forget(team_id, *about, at=at)

    monkeypatch.setattr(factory.installations, "delete_workspace", locked_at_first)
    slack.uninstall(team=slack.team_id)
    async with asyncio.timeout(PATIENCE_S):
        while await factory.installations.list_all():
            await asyncio.sleep(0.05)
    assert asked == [slack.team_id] * 2


async def test_concurrent_syncs_keep_the_newest_installations(
    slack: LocalSlack, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, read, go_on = [generate_key()], asyncio.Event(), asyncio.Event()
    clients: dict[str, Any] = {}
    async with aiohttp.ClientSession() as session:
        workspaces = WorkspaceRegistry(
            factory.installations,
            TokenCipher(keys),
            clients,
            slack.api_url,
            session,
            Wakeups(),
            on_call=lambda *_: None,
        )
        one = replace(ONE, token=TokenCipher(keys).encrypt("xoxb-1"))
        everything = factory.installations.list_all

        async def slowly() -> list[InstalledWorkspace]:
            found = await everything()
            read.set()
            await go_on.wait()
            return found

        monkeypatch.setattr(factory.installations, "list_all", slowly)
        early = asyncio.create_task(workspaces.sync())
        await read.wait()
        await factory.installations.save(one, NOW)
        asked = asyncio.create_task(workspaces.authorize(one.team_id))
        go_on.set()
        await early
        assert (await asked) is not None and set(clients) == {one.team_id}
        # A token that no key opens is nobody's: not the old one's either.
        await factory.installations.save(
            replace(one, token=TokenCipher([generate_key()]).encrypt("xoxb-2")), NOW
        )
        await workspaces.sync()
        assert clients == {} and await workspaces.authorize(one.team_id) is None


def test_keys_that_cannot_be_used_are_a_sentence(slack: LocalSlack, factory: Factory) -> None:
    with pytest.raises(SettingsError, match="GWEVENT_SECRET_KEYS must be one or more Fernet keys"):
        Application(settings(slack, 1, secret_keys="nonsense"), factory, [IdleSource()])


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["another installation", "no installation"])
async def test_a_guest_belongs_to_the_channels_installation(
    bot: Application, slack: LocalSlack, factory: Factory, whose: str
) -> None:
    ours, other = list(slack.workspaces)
    for team in (ours, other):
        await installed(bot, slack, team)
    channel = slack.add_channel("shared", team=ours)
    guest = slack.share(channel, team=other if whose == "another installation" else "T0NONE")
    await slack.say("@gwevent subscribe CBC", channel, user=guest)
    async with asyncio.timeout(PATIENCE_S):
        while not await factory.subscriptions.for_channel(ours, channel):
            await asyncio.sleep(0.02)
    await record_notices(factory, decoded_notice())
    bot.delivery_worker.wake()
    await slack.wait_for(lambda: len(slack.messages(channel)) == 3, PATIENCE_S)
    root = slack.messages(channel)[-1]
    await say_observing(slack, channel, root["ts"], guest)
    await slack.wait_for(lambda: guest in str(slack.messages(channel)[-1]), PATIENCE_S)
    # An answer for them alone: its button comes without a message that would name the installation.
    before = len(slack.ephemerals(channel, guest))
    await slack.say(f"@gwevent {REAL}", channel, user=guest)
    await slack.wait_for(lambda: len(slack.ephemerals(channel, guest)) > before, PATIENCE_S)
    answer = slack.ephemerals(channel, guest)[-1]
    assert (await slack.press(channel, answer["ts"], SHARE_ACTION, user=guest)).ok
    await slack.wait_for(lambda: len(slack.messages(channel)) == 5, PATIENCE_S)
    slack.open_home(guest)
    await slack.wait_for(lambda: slack.home(guest), PATIENCE_S)
    assert await factory.channel_moves.list_foreign_channels({ours}) == []
    if whose == "no installation":
        # Of them nothing was heard before that would tell whose channel it is.
        silent = slack.share(channel, team="T0NONE", name="silent")
        asked = await slack.command("/gwevent", "subscribe Burst", channel=channel, user=silent)
        said = (await asked.wait_for_answer(PATIENCE_S))["text"]
        assert "/slack/install installs it" in said and "mention @gwevent" in said
        assert len(await factory.subscriptions.for_channel(ours, channel)) == 1
