"""Slack Connect: channels that are shared with another workspace and have members from it."""

from __future__ import annotations

from bot.local_slack.errors import Json
from bot.local_slack.workspace import Change, Channel, User, Workspace

EXTERNAL_TEAM_ID = "T0ELSEWHERE"


def add_external_member(workspace: Workspace, channel: Channel, team: str, name: str) -> User:
    """Add a user of another workspace to one channel only."""
    person = User(workspace.new_id("U"), name, name.capitalize(), team=team)
    workspace.users[person.id] = person
    channel.shared_with.add(team)
    channel.members.add(person.id)
    workspace.notify(Change("channel", channel))
    return person


def change_channel_id(workspace: Workspace, channel: Channel) -> str:
    """Change a channel's id, as Slack does when some channels become shared. The old id becomes invalid."""
    old = channel.id
    del workspace.channels[old]
    channel.id = workspace.new_id("C")
    workspace.channels[channel.id] = channel
    for message in (*channel.messages.values(), *channel.ephemerals.values()):
        message.channel = channel.id
    workspace.notify(Change("channel_id_changed", channel, old_id=old))
    return channel.id


def home_team_id(workspace: Workspace, user_id: object) -> str:
    """Return the team id of a user's workspace; this workspace's id if there is no user."""
    person = workspace.users.get(user_id) if isinstance(user_id, str) else None
    return (person.team if person is not None else "") or workspace.id


def event_teams(workspace: Workspace, event: Json) -> Json:
    """Return an event's envelope fields about workspaces; `team_id` is that of the user who caused it."""
    channel = workspace.channels.get(str(event.get("channel") or event.get("new_channel_id")))
    return {
        "team_id": home_team_id(workspace, event.get("user")),
        "context_team_id": workspace.id,
        "is_ext_shared_channel": channel is not None and bool(channel.shared_with),
    }
