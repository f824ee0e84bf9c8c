"""Checks of the stored channels: whether alerts can reach them, and whom their subscriptions mention."""

from __future__ import annotations

from collections.abc import Iterable

from bot.runtime.outcome_notifier import OutcomeNotifier
from bot.settings import Settings
from bot.slack.client import Identity, SlackClient
from bot.slack.errors import ChannelUnavailable, SlackFailure
from bot.store.channels.channel_moves import ChannelMoves
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import Database, InvalidDatabaseUrl, StoreUnavailable
from formatters.models.subscription import Subscription
from formatters.terminal.findings import Finding, Level

MAX_LISTED = 5
"""Channels, or people, that a finding names."""
MAX_ASKED = 40
"""Channels, and people, that Slack is asked about: it answers about 50 of these questions a minute."""


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


async def check_subscribed_channels(
    settings: Settings, client: SlackClient, identity: Identity
) -> list[Finding]:
    """Ask Slack about each channel with an active subscription, and each person that one mentions.

    Slack accepts a mention of somebody whose account is deactivated, and doesn't tell that a channel was
    archived or the bot removed from it: without this the next alert finds out.
    """
    active = await _active_subscriptions(settings, identity.team_id)
    return [
        *await _check_reachable(client, identity, active),
        *await _check_mentioned_people(client, identity, active),
    ]


async def _active_subscriptions(settings: Settings, team_id: str) -> list[Subscription]:
    try:
        database = Database(settings.effective_database_url)
    except InvalidDatabaseUrl:
        return []
    try:
        if (database.path is not None and not database.path.exists()) or not await database.is_current():
            return []
        every = await SubscriptionRepository(database, OutcomeNotifier()).confirmed()
    except StoreUnavailable:
        return []
    finally:
        await database.close()
    return [s for s in every if s.team_id == team_id and s.paused_at is None]


async def _check_reachable(
    client: SlackClient, identity: Identity, active: Iterable[Subscription]
) -> list[Finding]:
    name = "Subscribed channels"
    # A direct conversation with the app can't be looked at without im:read.
    channels = sorted({s.channel_id for s in active if not s.channel_id.startswith("D")})
    problems = []
    for channel in channels[:MAX_ASKED]:
        try:
            problem = await _why_unreachable(client, channel, identity.scopes)
        except SlackFailure as failure:
            if failure.reason == "missing_scope":
                # The check of the scopes names it.
                return []
            found = f"{channel} can't be looked at: {failure.reason}."
            return [Finding(name, Level.WARN, found, "Run gwevent doctor again in a minute.")]
        if problem is not None:
            problems.append(f"{channel} ({problem})")
    if problems:
        found = f"Alerts can't be posted in {_named(problems)}."
        todo = "/invite @gwevent there, or unarchive it; what it missed since yesterday is posted then."
        return [Finding(name, Level.WARN, found, todo)]
    asked = f"{len(channels[:MAX_ASKED])} of {len(channels)}" if len(channels) > MAX_ASKED else len(channels)
    return [Finding(name, Level.OK, f"{asked} can be posted in.")] if channels else []


async def _why_unreachable(client: SlackClient, channel: str, scopes: frozenset[str]) -> str | None:
    """Return why a channel can't be posted in; None if it can. Raises SlackFailure."""
    try:
        found = await client.channel_info(channel)
    except ChannelUnavailable as failure:
        return failure.reason
    if found.is_archived:
        return f"#{found.name} is archived"
    if not found.is_member and (found.is_private or "chat:write.public" not in scopes):
        return f"gwevent isn't in #{found.name}"
    return None


async def _check_mentioned_people(
    client: SlackClient, identity: Identity, active: Iterable[Subscription]
) -> list[Finding]:
    """Return a finding if subscriptions mention people whose account is deactivated."""
    if "users:read" not in identity.scopes:
        return []
    mentioned: dict[str, Subscription] = {}
    for subscription in active:
        rule = subscription.criteria.notify
        for target in () if rule is None else rule.all_targets:
            if target.startswith("<@"):
                mentioned.setdefault(target.strip("<@>"), subscription)
    gone = []
    for user, subscription in sorted(mentioned.items())[:MAX_ASKED]:
        try:
            is_gone = await client.is_deactivated(user)
        except SlackFailure as failure:
            is_gone = failure.reason in ("user_not_found", "users_not_found")
        if is_gone:
            gone.append(f"{user} ({subscription.channel_id} subscription {subscription.number})")
    if not gone:
        return []
    found = (
        f"Subscriptions mention people whose account is deactivated, so that nobody hears: {_named(gone)}."
    )
    todo = "Edit whom the subscription mentions: /gwevent subscriptions edit NUMBER … in that channel."
    return [Finding("Mentions", Level.WARN, found, todo)]


def _named(problems: list[str]) -> str:
    more = len(problems) - MAX_LISTED
    return ", ".join(problems[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
