"""The process's side towards Slack: its listeners, the clients of its workspaces, and its connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
from slack_bolt.async_app import AsyncApp

from bot.gracedb.importer import SupereventImporter
from bot.listeners.registration import ListenerServices, register_listeners
from bot.settings import Settings
from bot.slack.client import Identity, SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.gateway import SlackGateway
from bot.slack.middleware import UserRateLimiter, register_middleware


def register_middleware_and_listeners(settings: Settings, services: ListenerServices, app: AsyncApp) -> None:
    """Register the middlewares and every listener with a Bolt app."""
    register_middleware(app, settings.slack_api_url, UserRateLimiter(settings.commands_per_minute))
    register_listeners(app, services)


class SlackInterface:
    """The connection to Slack and everything that answers there."""

    def __init__(
        self,
        clients: dict[str, SlackClient],
        gateway: SlackGateway,
        listeners: ListenerServices,
        importer: SupereventImporter | None,
    ) -> None:
        self.clients = clients
        """The client of each workspace, by team id; the gateway adds and removes them."""
        self.gateway = gateway
        self.listeners = listeners
        self.importer = importer
        """Looks up events in GraceDB for commands; None if that is switched off."""
        self.identity: Identity | None = None
        """The bot user in its one workspace; None before Slack is connected, and with many workspaces."""

    async def run(
        self,
        session: aiohttp.ClientSession,
        on_identified: Callable[[Identity | None], Awaitable[None]],
        on_ready: Callable[[], None],
    ) -> None:
        """Keep the connection until cancelled."""

        async def remember(identity: Identity | None) -> None:
            self.identity = identity
            await on_identified(identity)

        await self.gateway.run(session, remember, on_ready)

    async def request_time(self) -> None:
        """Call Slack once: its response carries the time, which the clock reads (`trace_server_time`)."""
        for client in list(self.clients.values())[:1]:
            with suppress(SlackFailure):
                await client.identify()

    async def close(self) -> None:
        """Close the connection."""
        await self.gateway.close()
