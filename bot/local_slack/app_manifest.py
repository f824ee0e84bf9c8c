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
        "channels:read",
        "chat:write",
        "chat:write.public",
        "commands",
        "files:write",
        "groups:read",
    }
)
"""What the bot's token may do unless told otherwise: what deploy/slack-manifest.yaml asks for."""

EVENTS = frozenset(
    {
        "app_home_opened",
        "app_mention",
        "channel_id_changed",
        "channel_unarchive",
        "group_unarchive",
        "member_joined_channel",
    }
)
"""The events that are delivered unless told otherwise: those of deploy/slack-manifest.yaml."""


@dataclass(frozen=True, slots=True)
class AppConfig:
    """The app as Slack has it."""

    name: str = "gwevent"
    commands: tuple[Command, ...] = (GWEVENT,)
    scopes: frozenset[str] = SCOPES
    events: frozenset[str] = EVENTS
