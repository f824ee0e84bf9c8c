"""Checks of the stored channels: whether alerts can reach them, and whom their subscriptions mention."""

from __future__ import annotations

from bot.settings import Settings
from bot.store.channels.channel_moves import ChannelMoves
from bot.store.database import Database, InvalidDatabaseUrl, StoreUnavailable
from formatters.terminal.findings import Finding, Level

MAX_LISTED = 5
"""Channels that a finding names."""


async def check_orphaned_channels(settings: Settings, installed: set[str]) -> list[Finding]:
    """Return a finding if channels are stored under workspaces without the app: they receive nothing."""
    try:
        database = Database(settings.effective_database_url)
    except InvalidDatabaseUrl:
        return []
    try:
        there = database.path is None or database.path.exists()
        orphaned = (
            await ChannelMoves(database).list_foreign_channels(installed)
            if there and await database.is_current()
            else []
        )
    except StoreUnavailable:
        return []
    finally:
        await database.close()
    if not orphaned:
        return []
    named = ", ".join(f"{channel} ({team})" for team, channel in orphaned[:MAX_LISTED])
    found = f"{len(orphaned)} channels are stored under workspaces where gwevent isn't installed: {named}."
    todo = "gwevent run takes over those that it sees. In the others install it, or subscribe again."
    return [Finding("Slack workspaces", Level.WARN, found, todo)]
