"""Read from a request's body which workspaces, channel and person it names. Pure.

In a channel that Slack Connect shares, people of other workspaces press, type and mention too, and Slack
names their workspace beside ours in most of what it sends: `team_id` at the top of an event is the author's,
`user.team_id` of a button is that of the person who pressed it. Subscriptions, clients and tokens belong to
our workspace.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any


def teams_in_request(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of all workspaces that a request names, the surest to be the app's own first.

    A view names the workspace where its app is installed, a message of ours the one that posted it, an event
    the installation that may see it; the rest may be the person's workspace.
    """
    return tuple(dict.fromkeys(team for team in _teams_named(body) if isinstance(team, str) and team))


def request_team(body: Mapping[str, Any], installed: Container[str]) -> str | None:
    """Return the workspace whose installation a request came through; None if none is in `installed`."""
    return next((team for team in teams_in_request(body) if team in installed), None)


def uninstalled_team(body: Mapping[str, Any]) -> str | None:
    """Return the workspace that removed the app; None if the event names more than one.

    Everything stored for that workspace will be deleted, so there is no guessing.
    """
    named = teams_in_request(body)
    return named[0] if len(named) == 1 else None


def request_channel_and_user(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the ids of the channel and the person that a request names; None unless it names both."""
    event = object_field(body, "event")
    user = event.get("user") or object_field(body, "user").get("id") or body.get("user_id")
    channel = request_channel(body)
    return (channel, user) if isinstance(user, str) and channel is not None else None


def request_channel(body: Mapping[str, Any]) -> str | None:
    """Return the id of the channel that a request names."""
    channel = object_field(body, "event").get("channel") or body.get("channel_id") or body.get("channel")
    channel = channel.get("id") if isinstance(channel, dict) else channel
    return channel if isinstance(channel, str) and channel else None


def object_field(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object that a request holds; an empty one if it holds none of this name."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _teams_named(body: Mapping[str, Any]) -> Iterator[object]:
    view, user = object_field(body, "view"), object_field(body, "user")
    yield view.get("app_installed_team_id")
    yield object_field(body, "message").get("team")
    authorizations = body.get("authorizations")
    for authorization in authorizations if isinstance(authorizations, list) else ():
        # The team is null where a whole organisation installed the app.
        yield authorization.get("team_id") if isinstance(authorization, dict) else None
    yield body.get("context_team_id")
    yield object_field(body, "team").get("id")
    yield body.get("team")
    yield body.get("team_id")
    yield user.get("team_id")
    yield view.get("team_id")
