"""Slack Connect: a channel that another workspace has too, with people of that one in it."""

from __future__ import annotations

from bot.local_slack.errors import Json
from bot.local_slack.workspace import Change, Channel, User, Workspace

EXTERNAL_TEAM_ID = "T0ELSEWHERE"


def add_external_member(workspace: Workspace, channel: Channel, team: str, name: str) -> User:
    """Bring somebody of another workspace into a channel, and into no other."""
    person = User(workspace.new_id("U"), name, name.capitalize(), team=team)
    workspace.users[person.id] = person
    channel.shared_with.add(team)
    channel.members.add(person.id)
    workspace.notify(Change("channel", channel))
    return person


def change_channel_id(workspace: Workspace, channel: Channel) -> str:
    """Give a channel another id, as Slack does to some that become shared; the old one leads nowhere."""
    old = channel.id
    del workspace.channels[old]
    channel.id = workspace.new_id("C")
    workspace.channels[channel.id] = channel
    for message in (*channel.messages.values(), *channel.ephemerals.values()):
        message.channel = channel.id
    workspace.notify(Change("channel_id_changed", channel, old_id=old))
    return channel.id


def home_team_id(workspace: Workspace, user_id: object) -> str:
    """The workspace that a person belongs to; this one where nobody is meant."""
    person = workspace.users.get(user_id) if isinstance(user_id, str) else None
    return (person.team if person is not None else "") or workspace.id


def event_teams(workspace: Workspace, event: Json) -> Json:
    """What Slack's envelope says of whose an event is: at its top, whoever did it."""
    channel = workspace.channels.get(str(event.get("channel") or event.get("new_channel_id")))
    return {
        "team_id": home_team_id(workspace, event.get("user")),
        "context_team_id": workspace.id,
        "is_ext_shared_channel": channel is not None and bool(channel.shared_with),
    }
