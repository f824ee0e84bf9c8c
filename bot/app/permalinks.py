"""The addresses of messages in Slack, asked once for each message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from cachetools import LRUCache

from bot.slack.client import SlackClient

MAX_CACHED = 2_000
"""Addresses kept; a message's address never changes."""


def create_permalinks(clients: Mapping[str, SlackClient]) -> Callable[[str, str, str], Awaitable[str | None]]:
    """Return a function of (team, channel, ts) that asks Slack through the clients by team id.

    It returns None where Slack gives no address, which isn't kept.
    """
    known: LRUCache[tuple[str, str, str], str] = LRUCache(MAX_CACHED)

    async def get_permalink(team_id: str, channel_id: str, ts: str) -> str | None:
        key = (team_id, channel_id, ts)
        if key not in known:
            client = clients.get(team_id)
            url = None if client is None else await client.permalink(channel_id, ts)
            if url is None:
                return None
            known[key] = url
        return known[key]

    return get_permalink
