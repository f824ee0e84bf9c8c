"""The state of a workspace: users, channels, messages, threads, files and views, and operations on them.

This module contains neither network nor asyncio code. Changes are reported to `Workspace.listeners`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from bot.local_slack.block_kit.ids import with_block_ids
from bot.local_slack.errors import ApiError, Json
from bot.local_slack.messages import TOMBSTONE, Message

ChangeType = Literal[
    "message",
    "message_changed",
    "message_deleted",
    "ephemeral",
    "ephemeral_changed",
    "ephemeral_deleted",
    "channel",
    "channel_archive",
    "channel_id_changed",
    "channel_unarchive",
    "member_joined",
    "member_left",
    "view",
    "home",
    "file",
]
SLACKBOT = "USLACKBOT"


@dataclass(slots=True)
class User:
    """A user: a person or an app's bot."""

    id: str
    name: str
    real_name: str
    is_bot: bool = False
    is_admin: bool = False
    deactivated: bool = False
    avatar: str | None = None
    team: str = ""
    """The workspace of an external user, who is in shared channels only; else empty."""


@dataclass(slots=True)
class Channel:
    """A channel, or a direct conversation (`is_im`)."""

    id: str
    name: str
    private: bool = False
    archived: bool = False
    is_im: bool = False
    topic: str = ""
    created: int = 0
    members: set[str] = field(default_factory=set)
    messages: dict[str, Message] = field(default_factory=dict)
    """Message by ts, oldest first, including replies."""
    ephemerals: dict[str, Message] = field(default_factory=dict)
    shared_with: set[str] = field(default_factory=set)
    """Other workspaces that share the channel, by Slack Connect."""


@dataclass(slots=True)
class File:
    """An uploaded file."""

    id: str
    name: str
    owner: str
    length: int
    """The size announced before the upload, in bytes."""
    secret: str
    alt_text: str = ""
    title: str = ""
    content: bytes | None = None
    mimetype: str = ""
    completed: bool = False
    ready: bool = False
    """True once the file can be used; this happens some time after completion."""
    channels: list[str] = field(default_factory=list)
    created: int = 0


@dataclass(slots=True)
class View:
    """A modal, or a home tab."""

    id: str
    user: str
    payload: Json
    """The view's definition as the app sent it."""
    root: str
    previous: str | None = None
    external_id: str = ""
    hash: str = ""
    state: Json = field(default_factory=dict)
    """The current input: block_id → action_id → value."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the workspace, reported to the page and to the app's events."""

    type: ChangeType
    channel: Channel | None = None
    message: Message | None = None
    file: File | None = None
    view: View | None = None
    user: str | None = None
    """The only recipient of an ephemeral message, view or home tab; or the user of a membership."""
    old_id: str | None = None
    """The former id of a channel whose id changed."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is not posted yet."""

    channel: str
    user: str
    text: str
    blocks: tuple[Json, ...] = ()
    bot_id: str | None = None
    app_id: str | None = None
    username: str | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Json | None = None
    files: tuple[str, ...] = ()


@dataclass(slots=True)
class Workspace:
    """A workspace (team), with the app's bot."""

    id: str
    name: str
    domain: str
    bot: User
    bot_id: str
    app_id: str
    bot_token: str
    """Empty while the app isn't installed."""
    scopes: set[str]
    clock: Callable[[], float] = time.time
    token_state: Literal["good", "token_revoked", "account_inactive", "token_expired"] = "good"  # noqa: S105
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    modals: dict[str, list[View]] = field(default_factory=dict)
    """The stack of open modals by user id, the visible one last."""
    homes: dict[str, View] = field(default_factory=dict)
    listeners: list[Callable[[Change], None]] = field(default_factory=list)
    _last_ts: int = 0
    _count: int = 0

    def __post_init__(self) -> None:
        self.users[self.bot.id] = self.bot

    # Changes, timestamps and ids

    def notify(self, change: Change) -> None:
        """Report a change to every listener."""
        for listener in self.listeners:
            listener(change)

    def new_ts(self) -> str:
        """Return a ts for a new message: seconds with six decimals, greater than all earlier ones."""
        self._last_ts = max(self._last_ts + 1, int(self.clock() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        """Return a new id such as "C0T1000000A", unique in all teams as it contains the team's number."""
        self._count += 1
        return f"{prefix}0{self.id[-4:]}{self._count:04X}"

    # People and channels

    def add_user(self, name: str, real_name: str = "") -> User:
        """Add a user to the workspace and its public channels, and return the user."""
        user = User(self.new_id("U"), name, real_name or name)
        self.users[user.id] = user
        for channel in self.channels.values():
            if not channel.private and not channel.is_im:
                channel.members.add(user.id)
        return user

    def user(self, user_id: str) -> User:
        """Return the user with an id. Raises ApiError `user_not_found`."""
        user = self.users.get(user_id)
        if user is None:
            raise ApiError("user_not_found")
        return user

    def people(self) -> list[User]:
        """Return all users that are not bots."""
        return [user for user in self.users.values() if not user.is_bot]

    def add_channel(
        self, name: str, *, private: bool = False, bot_member: bool = True, topic: str = ""
    ) -> Channel:
        """Create a channel with all users as members and return it."""
        channel = Channel(self.new_id("C"), name, private=private, topic=topic, created=int(self.clock()))
        channel.members.update(user.id for user in self.people() if not user.team)
        if bot_member:
            channel.members.add(self.bot.id)
        self.channels[channel.id] = channel
        self.notify(Change("channel", channel))
        return channel

    def open_direct(self, user_id: str) -> Channel:
        """Return a user's conversation with the bot; create it if needed. Raises `user_not_found`."""
        user = self.user(user_id)
        for channel in self.channels.values():
            if channel.is_im and user_id in channel.members:
                return channel
        members = {user_id, self.bot.id}
        channel = Channel(
            self.new_id("D"), user.name, private=True, is_im=True, members=members, created=int(self.clock())
        )
        self.channels[channel.id] = channel
        self.notify(Change("channel", channel))
        return channel

    def channel(self, channel_id: str) -> Channel:
        """Return the channel with an id. Raises ApiError `channel_not_found`."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise ApiError("channel_not_found")
        return channel

    def visible_channel(self, channel_id: object, user_id: str) -> Channel:
        """Return a channel if the user may see it. Raises ApiError `channel_not_found` otherwise."""
        channel = self.channels.get(channel_id) if isinstance(channel_id, str) else None
        if channel is None or (channel.private and user_id not in channel.members):
            raise ApiError("channel_not_found")
        return channel

    def join(self, channel: Channel, user_id: str) -> bool:
        """Add a user to a channel; return False if the user is already a member."""
        if user_id in channel.members:
            return False
        channel.members.add(user_id)
        self.notify(Change("member_joined", channel, user=user_id))
        return True

    def leave(self, channel: Channel, user_id: str) -> bool:
        """Remove a user from a channel; return False if the user is not a member."""
        if user_id not in channel.members:
            return False
        channel.members.discard(user_id)
        self.notify(Change("member_left", channel, user=user_id))
        return True

    def archive(self, channel: Channel, archived: bool = True) -> None:
        """Archive a channel, or unarchive it."""
        channel.archived = archived
        self.notify(Change("channel_archive" if archived else "channel_unarchive", channel))

    # Messages

    def message(self, channel: Channel, ts: object) -> Message:
        """Return an existing message. Raises ApiError `message_not_found`."""
        message = channel.messages.get(ts) if isinstance(ts, str) else None
        if message is None:
            raise ApiError("message_not_found")
        return message

    def thread_root(self, channel: Channel, thread_ts: str) -> Message:
        """Return the root message with this `thread_ts`. Slack itself also accepts some invalid values.

        Raises ApiError `invalid_thread_ts` or `thread_not_found`, or for a reply `cannot_reply_to_message`.
        """
        seconds, dot, fraction = thread_ts.partition(".")
        if not (dot and seconds.isdigit() and fraction.isdigit() and len(fraction) == 6):
            raise ApiError("invalid_thread_ts")
        root = channel.messages.get(thread_ts)
        if root is None:
            raise ApiError("thread_not_found")
        if root.is_reply:
            raise ApiError("cannot_reply_to_message")
        return root

    def post(self, draft: Draft) -> Message:
        """Post a message and return it. Raises ApiError for an invalid thread."""
        channel = self.channel(draft.channel)
        root = self.thread_root(channel, draft.thread_ts) if draft.thread_ts is not None else None
        message = self._create_message(draft)
        channel.messages[message.ts] = message
        self.notify(Change("message", channel, message))
        if root is not None:
            root.replies.append(message.ts)
            if message.user not in root.reply_users:
                root.reply_users.append(message.user)
            self.notify(Change("message_changed", channel, root))
        return message

    def post_ephemeral(self, draft: Draft, user_id: str) -> Message:
        """Show an ephemeral message to one person."""
        channel = self.channel(draft.channel)
        message = self._create_message(draft)
        message.seen_by = user_id
        channel.ephemerals[message.ts] = message
        self.notify(Change("ephemeral", channel, message, user=user_id))
        return message

    def _create_message(self, draft: Draft) -> Message:
        author = self.users.get(draft.user)
        return Message(
            ts=self.new_ts(),
            channel=draft.channel,
            user=draft.user,
            text=draft.text,
            team=(author.team if author is not None else "") or self.id,
            blocks=with_block_ids(draft.blocks),
            bot_id=draft.bot_id,
            app_id=draft.app_id,
            username=draft.username,
            thread_ts=draft.thread_ts,
            broadcast=draft.broadcast,
            metadata=draft.metadata,
            files=list(draft.files),
        )

    def edit(
        self,
        message: Message,
        *,
        text: str | None,
        blocks: tuple[Json, ...] | None,
        metadata: Json | None = None,
    ) -> None:
        """Change a message; None leaves a part unchanged, an empty `metadata` removes it."""
        channel = self.channel(message.channel)
        if text is not None:
            message.text = text
        if blocks is not None:
            message.blocks = with_block_ids(blocks)
        if metadata is not None:
            message.metadata = metadata or None
        message.edited = self.new_ts()
        if message.ephemeral:
            self.notify(Change("ephemeral_changed", channel, message, user=message.seen_by))
        else:
            self.notify(Change("message_changed", channel, message))

    def delete(self, message: Message) -> None:
        """Delete a message; a root with replies is replaced by a tombstone."""
        channel = self.channel(message.channel)
        if message.ephemeral:
            channel.ephemerals.pop(message.ts, None)
            self.notify(Change("ephemeral_deleted", channel, message, user=message.seen_by))
            return
        if message.replies:
            message.deleted = True
            message.text, message.blocks, message.metadata = TOMBSTONE, [], None
            self.notify(Change("message_changed", channel, message))
            return
        del channel.messages[message.ts]
        self.notify(Change("message_deleted", channel, message))
        root = channel.messages.get(message.thread_ts or "")
        if root is not None and message.ts in root.replies:
            root.replies.remove(message.ts)
            self.notify(Change("message_changed", channel, root))

    def thread(self, channel: Channel, root: Message) -> list[Message]:
        """Return a thread's root and its replies, oldest first."""
        return [root, *(channel.messages[ts] for ts in root.replies)]

    # Views

    def open_view(self, user_id: str, payload: Json, *, on_top: bool) -> View:
        """Open a modal, on top of the open one or as the first, and return it.

        Raises ApiError `push_limit_reached` if three are already open.
        """
        stack = self.modals.setdefault(user_id, []) if on_top else []
        if len(stack) >= 3:
            raise ApiError("push_limit_reached")
        view_id = self.new_id("V")
        view = View(
            view_id,
            user_id,
            {**payload, "blocks": with_block_ids(payload["blocks"])},
            root=stack[0].id if stack else view_id,
            previous=stack[-1].id if stack else None,
            external_id=str(payload.get("external_id") or ""),
            hash=self.new_ts(),
        )
        stack.append(view)
        self.modals[user_id] = stack
        self.notify(Change("view", view=view, user=user_id))
        return view

    def replace_view(self, view: View, payload: Json) -> None:
        """Replace the content of a modal or home tab; input in blocks that remain is kept."""
        view.payload = {**payload, "blocks": with_block_ids(payload["blocks"])}
        view.external_id = str(payload.get("external_id") or view.external_id)
        view.hash = self.new_ts()
        kept = {block["block_id"] for block in view.payload["blocks"]}
        view.state = {block_id: values for block_id, values in view.state.items() if block_id in kept}
        is_home = payload.get("type") == "home"
        self.notify(Change("home" if is_home else "view", view=view, user=view.user))

    def close_view(self, user_id: str, *, every: bool = False) -> None:
        """Close the visible modal, or all of them."""
        stack = self.modals.get(user_id, [])
        if every:
            stack.clear()
        elif stack:
            stack.pop()
        self.notify(Change("view", view=stack[-1] if stack else None, user=user_id))

    def publish_home(self, user_id: str, payload: Json) -> View:
        """Set a person's home tab."""
        view = self.homes.get(user_id)
        if view is None:
            view_id = self.new_id("V")
            view = View(view_id, user_id, {}, root=view_id)
            self.homes[user_id] = view
        self.replace_view(view, payload)
        return view

    def view(self, view_id: str | None, external_id: str | None = None) -> View:
        """Return an open modal or a home tab by either id. Raises ApiError `not_found`."""
        for view in (*(view for stack in self.modals.values() for view in stack), *self.homes.values()):
            if view.id == view_id or (external_id and view.external_id == external_id):
                return view
        raise ApiError("not_found")
