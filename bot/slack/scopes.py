"""The OAuth scopes that gwevent uses, and what for.

The installation by OAuth, `gwevent doctor` and the channel policy derive from this table; tests compare it
with the manifests in deploy/ and with the local Slack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

AllowedRole = Literal["anyone", "members", "admins"]
"""The people who may change what a channel receives (GWEVENT_WHO_MAY_SUBSCRIBE)."""


class Need(Enum):
    """The degrees to which gwevent depends on a scope."""

    REQUIRED = auto()
    """Without it gwevent doesn't work."""
    REQUESTED = auto()
    """In the manifest; without it gwevent works and lacks something."""
    OPT_IN = auto()
    """Commented out in the manifest, for operators who want what it is for."""


@dataclass(frozen=True, slots=True)
class ScopeUse:
    """A scope's need, and its use as the rest of the sentence "with it gwevent can …"."""

    need: Need
    use: str


SCOPES: Mapping[str, ScopeUse] = {
    "app_mentions:read": ScopeUse(Need.REQUIRED, "answer @gwevent"),
    "channels:read": ScopeUse(Need.REQUESTED, "notice that it was invited back to a channel"),
    "chat:write": ScopeUse(Need.REQUIRED, "post and edit"),
    "chat:write.public": ScopeUse(Need.REQUESTED, "post in public channels without being invited"),
    "commands": ScopeUse(Need.REQUIRED, "answer /gwevent"),
    "files:write": ScopeUse(Need.REQUESTED, "show the sky map's picture"),
    "im:history": ScopeUse(
        Need.REQUESTED,
        "answer direct messages (add the event message.im too, then install the app again)",
    ),
    "groups:read": ScopeUse(Need.REQUESTED, "notice the same of private channels"),
    "channels:history": ScopeUse(Need.OPT_IN, "find a post whose answer was lost"),
    "groups:history": ScopeUse(Need.OPT_IN, "find the same in private channels"),
    "users:read": ScopeUse(Need.OPT_IN, "tell who is an admin, and whose account is deactivated"),
}
"""Every scope by its name (docs.slack.dev/reference/scopes)."""

REQUIRED_SCOPES = frozenset(name for name, scope in SCOPES.items() if scope.need is Need.REQUIRED)
BOT_SCOPES = tuple(name for name, scope in SCOPES.items() if scope.need is not Need.OPT_IN)
"""The scopes that every installation asks for; the manifests ask for the same."""
OPT_IN_SCOPES = frozenset(name for name, scope in SCOPES.items() if scope.need is Need.OPT_IN)
ADVISED_SCOPES: Mapping[str, str] = {
    name: scope.use for name, scope in SCOPES.items() if scope.need is Need.REQUESTED
}
"""The requested scopes whose absence is worth a warning, with their use."""

ROLE_SCOPES: Mapping[AllowedRole, tuple[str, ...]] = {
    "anyone": (),
    "members": ("channels:read", "groups:read"),
    "admins": ("users:read",),
}
"""Scopes for asking Slack about a role (docs.slack.dev: conversations.members and users.info)."""


def requested_scopes(allowed_role: AllowedRole) -> tuple[str, ...]:
    """Return the scopes that an installation by OAuth asks for, where this role may change subscriptions."""
    return tuple(dict.fromkeys((*BOT_SCOPES, *ROLE_SCOPES[allowed_role])))
