"""The supervisor notices dead connections that slack_sdk doesn't notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.local_slack.server import LocalSlack
from bot.slack.socket_mode import OtherConnectionsWarning, SocketModeSupervisor

PATIENCE_S = 60.0


async def until(link: SocketModeSupervisor, *, connected: bool) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while link.state.connected is not connected:
            await asyncio.sleep(0.02)


@pytest.fixture
async def supervisor(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> AsyncIterator[tuple[SocketModeSupervisor, list[AsyncSocketModeHandler]]]:
    handlers: list[AsyncSocketModeHandler] = []
    app = AsyncApp(client=slack_client)

    def make() -> AsyncSocketModeHandler:
        asker = AsyncWebClient(local_slack.app_token, base_url=local_slack.api_url)
        handlers.append(
            AsyncSocketModeHandler(app, local_slack.app_token, web_client=asker, ping_interval=0.2)
        )
        return handlers[-1]

    link = SocketModeSupervisor(make, check_interval_s=0.05, stale_after_s=1.5, rebuild_after_s=0.3)
    connected = asyncio.Event()
    running = asyncio.create_task(link.run(connected.set))
    async with asyncio.timeout(PATIENCE_S):
        await connected.wait()
    yield link, handlers
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await link.close()


@pytest.mark.slow
async def test_silent_socket_connection_is_rebuilt(
    local_slack: LocalSlack, supervisor: tuple[SocketModeSupervisor, list[AsyncSocketModeHandler]]
) -> None:
    link, handlers = supervisor
    assert link.state.connected and link.rebuild_count == 0
    client = handlers[0].client
    # The task that pings and looks is gone, and the word that all is well stays.
    assert client.current_session_monitor is not None
    client.current_session_monitor.cancel()
    client.ping_interval = 1e9
    await until(link, connected=False)
    assert link.state.detail == "pings aren't answered"
    assert await client.is_connected()
    await until(link, connected=True)
    assert link.rebuild_count >= 1 and len(handlers) == link.rebuild_count + 1
    assert client.closed and client.aiohttp_client_session.closed
    await local_slack.wait_for(lambda: local_slack.sockets.count == 1, PATIENCE_S)


@pytest.mark.slow
async def test_a_refused_connection_is_out_until_it_is_taken(
    local_slack: LocalSlack, supervisor: tuple[SocketModeSupervisor, list[AsyncSocketModeHandler]]
) -> None:
    link, _ = supervisor
    local_slack.sockets.refuse(1.0)
    await local_slack.close_sockets(abort=True)
    await until(link, connected=False)
    await until(link, connected=True)
    await local_slack.wait_for(lambda: local_slack.sockets.count == 1, PATIENCE_S)


async def test_a_second_process_with_the_same_app_token_is_told_of(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    handlers = []
    warning = OtherConnectionsWarning()
    with capture_logs() as logged:
        for listeners in ([warning], [OtherConnectionsWarning()]):
            asker = AsyncWebClient(local_slack.app_token, base_url=local_slack.api_url)
            handler = AsyncSocketModeHandler(
                AsyncApp(client=slack_client), local_slack.app_token, web_client=asker
            )
            handler.client.message_listeners.extend(listeners)
            handlers.append(handler)
            assert not logged, "the first is alone"
            await handler.connect_async()  # type: ignore[no-untyped-call]
            await local_slack.wait_for(lambda: local_slack.sockets.count == len(handlers), PATIENCE_S)
            await asyncio.sleep(0.3)
    assert [(line["event"], line["connections"]) for line in logged] == [("app_token_shared", 2)]
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("counts", "told"), [([1, 2, 2], 0), ([2], 1), ([1, 3], 1), ([None, 1], 0), ([1, "2", 5], 1)]
)
async def test_a_connection_that_is_replaced_is_no_other_process(counts: list[object], told: int) -> None:
    warning = OtherConnectionsWarning()
    with capture_logs() as logged:
        for count in counts:
            await warning(None, {"type": "hello", "num_connections": count})
            await warning(None, {"type": "disconnect", "num_connections": 9})
    assert len(logged) == told
