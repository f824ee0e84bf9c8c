"""What Slack knows of an app from its manifest: name, commands, scopes, events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command."""

    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = True
    """Whether `@user` and `#channel` arrive as ids (`should_escape` of the manifest)."""


GWEVENT = Command(
    "/gwevent",
    "Gravitational-wave alerts of LIGO, Virgo and KAGRA",
    "[latest | recent | status | subscribe | help | S190814bv]",
)

SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:join",
        "channels:read",
        "chat:write",
        "chat:write.public",
        "commands",
        "files:read",
        "files:write",
        "groups:read",
        "im:write",
        "users:read",
    }
)
"""What the bot's token may do unless told otherwise; no `*:history`, since most workspaces won't grant it."""

EVENTS = frozenset(
    {
        "app_home_opened",
        "app_mention",
        "app_uninstalled",
        "channel_archive",
        "channel_deleted",
        "channel_left",
        "channel_rename",
        "channel_unarchive",
        "group_archive",
        "group_left",
        "group_unarchive",
        "member_joined_channel",
        "tokens_revoked",
    }
)
"""The events that are delivered unless told otherwise."""


@dataclass(frozen=True, slots=True)
class AppConfig:
    """The app as Slack has it."""

    name: str = "gwevent"
    commands: tuple[Command, ...] = (GWEVENT,)
    scopes: frozenset[str] = SCOPES
    events: frozenset[str] = EVENTS
