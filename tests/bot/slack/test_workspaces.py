"""Many workspaces: installed by OAuth, told by signed requests, each with its own token, and forgotten."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from sqlalchemy import func, select

from bot.app import Bot
from bot.rooms import Rooms
from bot.sandbox.app_config import EVENTS
from bot.sandbox.server import Sandbox
from bot.settings import Settings, SettingsError
from bot.store import schema
from bot.store.installations import workspace_tables
from bot.vault import new_key
from tests.bot.house import Clock, made, take
from tests.bot.slack.conftest import Silent

PATIENCE_S = 60


@pytest.fixture
async def slack() -> AsyncIterator[Sandbox]:
    """A local Slack in which nobody has installed the app yet."""
    events = EVENTS | {"app_uninstalled", "tokens_revoked"}
    local = Sandbox(limits=False, file_delay=0.0, events=events)
    local.workspace.bot_token = ""
    local.add_team("Telescope", installed=False).add_user("tess", "Tess Telescope")
    await local.start()
    yield local
    await local.stop()


def settings(slack: Sandbox, port: int, **changed: Any) -> Settings:
    return Settings.model_validate(
        {
            "slack_client_id": slack.oauth.client_id,
            "slack_client_secret": slack.oauth.client_secret,
            "slack_signing_secret": slack.outgoing.signing_secret,
            "slack_api_url": slack.api_url,
            "secret_keys": new_key(),
            "public_url": f"http://127.0.0.1:{port}",
            "http_port": port,
            "gracedb_url": "off",
        }
        | changed
    )


@pytest.fixture
async def bot(slack: Sandbox, rooms: Rooms, clock: Clock, unused_tcp_port: int) -> AsyncIterator[Bot]:
    made_bot = Bot(settings(slack, unused_tcp_port), rooms, [Silent()], clock)
    stop = asyncio.Event()
    running = asyncio.create_task(made_bot.run(stop))
    async with asyncio.timeout(PATIENCE_S):
        await made_bot.ready.wait()
    await slack.deliver_to(f"http://127.0.0.1:{unused_tcp_port}/slack/events")
    yield made_bot
    stop.set()
    await running


async def browse(bot: Bot, team: str, *, cookie: bool = True) -> tuple[int, str]:
    """What a person's browser goes through, from the install page to the last one."""
    home = f"http://127.0.0.1:{bot.http_port}"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        async with session.get(f"{home}/slack/install") as page:
            kept = page.headers["Set-Cookie"].split(";")[0]
            assert "HttpOnly" in page.headers["Set-Cookie"] and "Secure" in page.headers["Set-Cookie"]
            address = re.search(r'href="([^"]+/oauth/v2/authorize[^"]*)"', await page.text())
        assert address is not None
        query = urlsplit(address[1].replace("&amp;", "&")).query
        asked = {key: value[0] for key, value in parse_qs(query).items()}
        allow = address[1].split("?")[0].replace("/authorize", "/allow")
        async with session.get(allow, params=asked | {"team": team}, allow_redirects=False) as consent:
            back = consent.headers["Location"]
        async with session.get(back, headers={"Cookie": kept} if cookie else {}) as end:
            return end.status, await end.text()


async def installed(bot: Bot, slack: Sandbox, team: str) -> None:
    status, page = await browse(bot, team)
    assert (status, "is installed" in page) == (200, True)
    await slack.wait_for(lambda: team in bot.worker._clients, PATIENCE_S)


async def test_two_workspaces_come_and_one_goes(bot: Bot, slack: Sandbox, rooms: Rooms, clock: Clock) -> None:
    teams = list(slack.workspaces)
    for team in teams:
        await installed(bot, slack, team)
        workspace = slack.workspaces[team]
        person = workspace.people()[0]
        await slack.wait_for(lambda: workspace.direct(person.id).messages, PATIENCE_S)  # noqa: B023
        (welcome,) = workspace.direct(person.id).messages.values()
        assert "/gwevent subscribe CBC" in welcome.text
    channels = {team: slack.add_channel("gw", team=team) for team in teams}
    for channel in channels.values():
        asked = await slack.command("/gwevent", "subscribe CBC", channel=channel)
        assert "Done" in (await asked.answer(PATIENCE_S))["text"]
    await take(rooms, made())
    bot.worker.wake()
    for team, channel in channels.items():
        await slack.wait_for(lambda: len(slack.messages(channel)) == 2, PATIENCE_S)  # noqa: B023
        posts = [call for call in slack.calls if call.method == "chat.postMessage" and call.team == team]
        assert {call.args["channel"] for call in posts} <= set(slack.workspaces[team].channels) | {
            person.id for person in slack.workspaces[team].people()
        }, "by its own token"
    async with rooms.database.reading() as connection:
        kept = (await connection.execute(select(schema.installations.c.token))).scalars().all()
    tokens = [workspace.bot_token for workspace in slack.workspaces.values()]
    assert len(kept) == 2 and not any(token in closed for token in tokens for closed in kept)

    gone, stays = teams
    slack.uninstall(team=gone)
    await slack.wait_for(lambda: gone not in bot.worker._clients, PATIENCE_S)
    async with rooms.database.reading() as connection:
        for table in workspace_tables():
            if "team_id" in table.c:
                left = select(func.count()).select_from(table).where(table.c.team_id == gone)
                assert (await connection.execute(left)).scalar_one() == 0, table.name
    await take(rooms, made(alert_type="UPDATE", minutes=5, far=1e-12))
    bot.worker.wake()
    await slack.wait_for(lambda: len(slack.messages(channels[stays])) == 3, PATIENCE_S)
    assert len(slack.messages(channels[gone])) == 2

    await installed(bot, slack, gone)
    async with rooms.database.reading() as connection:
        rows = await connection.execute(select(func.count()).select_from(schema.installations))
    assert rows.scalar_one() == 2


async def test_only_the_browser_that_began_may_end(bot: Bot, slack: Sandbox, rooms: Rooms) -> None:
    status, page = await browse(bot, slack.team_id, cookie=False)
    assert status == 400 and "not installed" in page
    assert await rooms.installations.all() == []


async def test_unsigned_and_foreign_requests_change_nothing(bot: Bot, slack: Sandbox) -> None:
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
        async with session.post(url, data=io.BytesIO(b"x" * 1_100_000)) as large:
            assert large.status == 413
    other = next(team for team in slack.workspaces if team != slack.team_id)
    stranger = slack.workspaces[other]
    slack.install(stranger, ["commands"])
    done = await slack.command("/gwevent", "latest", channel=slack.add_channel("gw", team=other))
    assert done.error is None or done.shown == [], "nobody answers for a workspace that isn't known here"


def test_keys_that_cannot_be_used_are_a_sentence(slack: Sandbox, rooms: Rooms) -> None:
    with pytest.raises(SettingsError, match="GWEVENT_SECRET_KEYS must be one or more Fernet keys"):
        Bot(settings(slack, 1, secret_keys="nonsense"), rooms, [Silent()])
