"""Every HTTP client uses the proxy of the environment, shown with a real proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.doctor.gcn import check_gcn
from bot.gracedb.client import GraceDb, GraceDbError
from bot.local_slack.server import LocalSlack
from bot.monitoring.webhook import Webhook, WebhookError
from bot.runtime.http_proxy import proxy_for
from bot.setting_types.topics import ConfiguredTopic
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure, Unavailable
from bot.sources.gcn import GcnAccess
from bot.treasure_map.client import TreasureMap, TreasureMapError
from formatters.terminal.findings import Level
from formatters.webhook.payload import WebhookAction, WebhookEvent, WebhookFormat
from tests.bot.gracedb.fake import FakeGraceDb
from tests.bot.monitoring.conftest import Pager, pager
from tests.support.delivery_harness import IdleSource
from tests.support.factories import NOW, Clock
from tests.support.http_proxy import HttpProxy

PATIENCE_S = 20.0
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
Environment = Callable[..., None]
__all__ = ["pager"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Set these proxy variables and remove all others."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def set_(**names: str) -> None:
        for name, value in names.items():
            monkeypatch.setenv(name, value)

    return set_


@pytest.fixture
async def proxy() -> AsyncIterator[HttpProxy]:
    async with HttpProxy() as made:
        yield made


@pytest.fixture
async def gracedb() -> AsyncIterator[FakeGraceDb]:
    made = FakeGraceDb()
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize(
    ("url", "names", "through"),
    [
        ("https://slack.com/api/", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://wss-primary.slack.com/link", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://slack.com/api/", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://slack.com/api/", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("https://slack.com/api/", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://ntfy.local/x", {"HTTPS_PROXY": "http://p:1"}, None),
        ("http://ntfy.local/x", {"HTTP_PROXY": "http://u:s@p:1"}, "http://u:s@p:1"),
        ("https://slack.com/api/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "slack.com"}, None),
        ("https://files.slack.com/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".slack.com"}, None),
        ("https://notslack.com/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "slack.com"}, "http://p:1"),
        ("https://slack.com/api/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("https://slack.com/api/", {"HTTPS_PROXY": ""}, None),
        ("no address", {"HTTPS_PROXY": "http://p:1"}, None),
    ],
)
def test_proxy_is_chosen_by_scheme_and_no_proxy(
    environment: Environment, url: str, names: dict[str, str], through: str | None
) -> None:
    environment(**names)
    assert proxy_for(url) == through


@pytest.mark.parametrize("between", ["proxy", "none: NO_PROXY", "none: other scheme"])
async def test_all_clients_use_the_proxy(
    environment: Environment,
    proxy: HttpProxy,
    local_slack: LocalSlack,
    pager: Pager,
    gracedb: FakeGraceDb,
    factory: Factory,
    clock: Clock,
    between: str,
) -> None:
    match between:
        case "proxy":
            # Another one for https, where nothing listens: http mustn't go there.
            environment(HTTP_PROXY=proxy.url, HTTPS_PROXY="http://127.0.0.1:9")
        case "none: NO_PROXY":
            environment(HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url, NO_PROXY="127.0.0.1,localhost")
        case _:
            environment(HTTPS_PROXY=proxy.url)
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
            "gracedb_url": gracedb.url,
        }
    )
    bot, stop = Application(settings, factory, [IdleSource()], clock), asyncio.Event()
    running = asyncio.create_task(bot.run(stop))
    async with asyncio.timeout(PATIENCE_S):
        await bot.ready.wait()
    channel = local_slack.add_channel("gw")
    done = await local_slack.command("/gwevent", "status", channel=channel)
    assert (await done.wait_for_answer(PATIENCE_S))["ephemeral"]
    await local_slack.say("@gwevent status", channel)
    await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel)) == 2, PATIENCE_S)
    await _look_up(gracedb.url)
    async with aiohttp.ClientSession() as session:
        client = SlackClient(local_slack.bot_token, local_slack.api_url, session)
        await client.upload(b"\x89PNG" + bytes(100), "map.png", "Map", "A map")
        await Webhook(pager.url, WebhookFormat.JSON).send(session, alarm())
    stop.set()
    await running

    paths = proxy.paths()
    if between != "proxy":
        assert proxy.asked == []
        return
    api = {path.removeprefix("/api/") for path in paths if path.startswith("/api/")}
    assert {"auth.test", "apps.connections.open", "chat.postEphemeral", "files.getUploadURLExternal"} <= api
    assert "/hook" in paths and "/link/" in paths
    assert any(path.startswith("/response/") for path in paths)
    assert any("superevents/S190425z" in path for path in paths)
    assert any(path.endswith("/pointings") or "/pointings?" in path for path in paths)
    assert any(path.startswith("/upload") for path in paths), paths
    forwarded = len(local_slack.calls)
    assert len([1 for _, url in proxy.asked if "/api/" in url and local_slack.url in url]) == forwarded


async def _look_up(url: str) -> None:
    """Neither server has anything."""
    client = GraceDb(url)
    with pytest.raises(GraceDbError):
        await client.superevent("S190425z")
    await client.close()
    treasure_map = TreasureMap(url, "token")
    with pytest.raises(TreasureMapError):
        await treasure_map.pointings("S190425z")
    await treasure_map.close()


def alarm() -> WebhookEvent:
    return WebhookEvent(
        dedup_key="test",
        action=WebhookAction.TRIGGER,
        title="A test",
        text="Nothing is wrong.",
        is_urgent=False,
        time=NOW,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
async def test_gcn_token_is_fetched_through_the_proxy(
    environment: Environment, proxy: HttpProxy, name: str
) -> None:
    """librdkafka uses libcurl, which reads the environment itself."""
    environment(**{name: proxy.url})
    access = GcnAccess(client_id="id", client_secret="secret", domain="gcn.invalid")
    found = await asyncio.to_thread(check_gcn, access, [ConfiguredTopic("igwn.gwalert", False)], 1.0)
    assert found.level is Level.FAIL
    assert ("CONNECT", "auth.gcn.invalid:443") in proxy.asked


async def test_https_is_asked_of_the_proxy_by_connect(environment: Environment, proxy: HttpProxy) -> None:
    """The proxy refuses, so nothing leaves this machine; the test checks that it was asked."""
    environment(HTTPS_PROXY=proxy.url)
    async with aiohttp.ClientSession() as session:
        client = SlackClient("xoxb-none", "https://slack.invalid/api/", session)
        with pytest.raises(SlackFailure):
            await client.identify()
        with pytest.raises(SlackFailure):
            await client._send_file("https://files.slack.invalid/upload", b"x")
        with pytest.raises(WebhookError):
            await Webhook("https://pager.invalid/hook", WebhookFormat.JSON).send(session, alarm())
        await _look_up("https://gracedb.invalid/api/")
    assert [url for method, url in proxy.asked if method == "CONNECT"] == [
        f"{host}.invalid:443" for host in ("slack", "files.slack", "pager", "gracedb", "gracedb")
    ]


async def test_a_proxy_that_refuses_the_way_says_so_and_nothing_was_sent(
    proxy: HttpProxy, environment: Environment
) -> None:
    environment(HTTPS_PROXY=proxy.url)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Unavailable, match="the proxy refuses: HTTP 502"):
            await SlackClient("xoxb-1", "https://slack.invalid/api/", session).identify()
