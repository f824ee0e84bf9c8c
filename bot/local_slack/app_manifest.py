"""The configuration of an app, as in its manifest: name, commands, scopes, events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A slash command."""

    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = True
    """True if the app receives `@user` and `#channel` as ids (`should_escape` in the manifest)."""
    examples: tuple[str, ...] = ()
    """Examples of arguments; the page offers them to click. Slack's manifest has nothing like it."""


GWEVENT = SlashCommand(
    "/gwevent",
    "Gravitational-wave alerts of LIGO, Virgo and KAGRA",
    "[latest | S190814bv | check | visible | subscribe | help]",
    examples=(
        "latest",
        "events today",
        "MS181101ab",
        "visible Palomar",
        "check 194.3 -17.9 MS181101ab",
        "subscribe CBC",
        "help",
    ),
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
        "im:history",
    }
)
"""The default scopes of the bot's token: those of deploy/slack-manifest.yaml."""

EVENTS = frozenset(
    {
        "app_home_opened",
        "app_mention",
        "channel_id_changed",
        "channel_unarchive",
        "group_unarchive",
        "member_joined_channel",
        "message.im",
    }
)
"""The default event subscriptions: those of deploy/slack-manifest.yaml."""


@dataclass(frozen=True, slots=True)
class AppConfig:
    """An app's configuration at Slack."""

    name: str = "gwevent"
    commands: tuple[SlashCommand, ...] = (GWEVENT,)
    scopes: frozenset[str] = SCOPES
    events: frozenset[str] = EVENTS
