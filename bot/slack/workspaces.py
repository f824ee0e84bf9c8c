"""Keep a client for each workspace where the app is installed."""

from __future__ import annotations

import asyncio

import aiohttp
import structlog
from slack_bolt.authorization import AuthorizeResult

from bot.runtime.polling_worker import run_polling_worker
from bot.runtime.wakeups import Wakeups
from bot.slack.client import OnCall, SlackClient
from bot.slack.token_cipher import InvalidKeys, TokenCipher
from bot.store.channels.installations import InstallationRepository, InstalledWorkspace
from bot.store.database import StoreUnavailable

SYNC_INTERVAL_S = 5.0
"""Seconds between reads of the installations: another process may have stored one."""

log = structlog.get_logger(__name__)


class WorkspaceRegistry:
    """Follows the stored installations: adds and removes clients."""

    def __init__(
        self,
        installations: InstallationRepository,
        token_cipher: TokenCipher,
        clients: dict[str, SlackClient],
        api_url: str,
        session: aiohttp.ClientSession,
        wakeups: Wakeups,
        on_call: OnCall,
    ) -> None:
        """`clients`, by team id, are changed in place; deliveries are sent through them."""
        self._installations = installations
        self._token_cipher = token_cipher
        self._clients = clients
        self._api_url = api_url
        self._session = session
        self._wakeups = wakeups
        self._on_call = on_call
        self._installed: dict[str, InstalledWorkspace] = {}
        self._sync_requested = asyncio.Event()
        self._sync_lock = asyncio.Lock()

    def request_sync(self) -> None:
        """Wake the loop that reads the installations, since one was added or removed."""
        self._sync_requested.set()

    async def run(self) -> None:
        """Follow the installations until cancelled."""

        async def sync() -> bool:
            await self.sync()
            return False

        await run_polling_worker(
            sync,
            self._sync_requested,
            SYNC_INTERVAL_S,
            expected=StoreUnavailable,
            on_expected=lambda error: log.warning(
                "store_unavailable", subsystem="slack", work="sync_installations", reason=str(error)
            ),
        )

    async def sync(self) -> None:
        """Read the installations and update the clients. Raises StoreUnavailable."""
        # One at a time: an older read must not be applied after a newer one.
        async with self._sync_lock:
            await self._sync()

    async def _sync(self) -> None:
        installed = {one.team_id: one for one in await self._installations.list_all()}
        for team_id in self._installed.keys() - installed.keys():
            del self._installed[team_id]
            self._clients.pop(team_id, None)
            log.info("workspace_removed", team=team_id)
        for team_id, one in installed.items():
            if self._installed.get(team_id) == one:
                continue
            try:
                token = self._token_cipher.decrypt(one.token)
            except InvalidKeys as error:
                log.error("token_not_decrypted", team=team_id, reason=str(error))
                self._installed[team_id] = one
                self._clients.pop(team_id, None)
                continue
            client = SlackClient(token, self._api_url, self._session, on_call=self._on_call)
            client.scopes = one.scopes
            self._installed[team_id] = one
            self._clients[team_id] = client
            log.info("workspace_added", team=team_id)
            self._wakeups.deliveries.set()

    async def authorize(self, team_id: str | None) -> AuthorizeResult | None:
        """Return the token to answer a workspace's request with; None if the app isn't installed there."""
        if team_id is None:
            return None
        if team_id not in self._clients:
            await self.sync()
        client, one = self._clients.get(team_id), self._installed.get(team_id)
        if client is None or one is None:
            return None
        return AuthorizeResult(
            enterprise_id=None,
            team_id=team_id,
            bot_token=client.web.token,
            bot_id=one.bot_id,
            bot_user_id=one.bot_user_id,
        )
