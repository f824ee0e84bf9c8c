"""What of a message is given up, and in which order, where Slack refuses it: the words come first.

A message is its words and up to eight further parts (`MessagePart`). Slack refuses a whole call because of one of
them, often with a word that stands in no list here. Then this goes on until the call is taken or nothing is
left to drop:

1. A word that names a part (`slack_connect_file_upload_sharing_blocked`, `metadata_too_large`, or
   `invalid_blocks` with a pointer to a picture) drops that part alone; `_NAMES` says which words name which.
2. A word that is known to be about something else (the channel, the token, a limit, Slack's own state) drops
   nothing: no part is to blame.
3. Any other word drops the next part of `LADDER`. What Slack meant isn't known, so such a drop is a guess.

`restricted_action` says that some may do what others may not. Where the message mentions somebody that is the
mention ("who may use @here"), else it is the channel: so it names the mention, and once that is gone it falls
under rule 2.

All of this is pure: `SlackClient` makes the calls, `bot.slack.reductions` remembers between two attempts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bot.slack.errors import ChannelUnavailable, FileNotReady, SlackFailure, Unlisted
from formatters.blockkit.message import Block, Message
from formatters.terminal import message_text


class MessagePart(StrEnum):
    """A part of a message that its words can go without."""

    PICTURE = "picture"
    BROADCAST = "broadcast"
    """That a thread's reply is shown in the channel too."""
    BUTTONS = "buttons"
    METADATA = "metadata"
    """By which the message is found again where no answer came."""
    BLOCKS = "blocks"
    """The layout: without it the same words stand as one text."""
    THREAD = "thread"
    """That it is a reply: without it, it is a message of its own."""
    EVERYBODY = "everybody"
    """The mentions "@here", "@channel" and "@everyone", which workspaces may keep to some."""
    MENTION = "mention"
    """All other mentions: people and user groups."""


DROP_ORDER = tuple(MessagePart)
"""What goes first where Slack doesn't say what is wrong; a mention last, since it wakes people."""

MENTION_PARTS = (MessagePart.EVERYBODY, MessagePart.MENTION)

_EVERYBODY_MENTIONS = frozenset({"<!here>", "<!channel>", "<!everyone>"})

_PART_PATTERNS: tuple[tuple[re.Pattern[str], tuple[MessagePart, ...]], ...] = (
    (re.compile(r"(^|_)metadata(_|$)"), (MessagePart.METADATA,)),
    (re.compile(r"(^|_)(files?|images?|pictures?|media|uploads?)(_|$)"), (MessagePart.PICTURE,)),
    (re.compile(r"(^|_)broadcast(_|$)"), (MessagePart.BROADCAST,)),
    (
        re.compile(r"(^|_)(mentions?|at_here|at_channel|at_everyone|user_?groups?|subteams?)(_|$)"),
        MENTION_PARTS,
    ),
    (re.compile(r"(^|_)(buttons?|interactive|interactivity|action_id)(_|$)"), (MessagePart.BUTTONS,)),
    (re.compile(r"(^|_)(reply|replies|threads?|threadable)(_|$)"), (MessagePart.THREAD,)),
    (re.compile(r"(^|_)blocks?(_|$)"), (MessagePart.BLOCKS,)),
    (re.compile(r"^restricted_action(_|$)"), MENTION_PARTS),
)
"""Words of Slack's, by the parts that they name: rules, not lists, so that next year's words are read too."""

_BLOCK_POINTER = re.compile(r"\[json-pointer:/blocks/(\d+)")


@dataclass(frozen=True, slots=True)
class DroppedPart:
    """A part that was given up, and Slack's word for why."""

    part: MessagePart
    reason: str
    guessed: bool
    """Slack's word doesn't name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A message on its way to Slack, with what was given up of it so far."""

    original: Message
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Mapping[str, Any] | None = None
    dropped: tuple[DroppedPart, ...] = ()

    @property
    def dropped_parts(self) -> frozenset[MessagePart]:
        """The parts that were given up."""
        return frozenset(dropped.part for dropped in self.dropped)

    @property
    def message(self) -> Message:
        """What is left of the message."""
        return remove_parts(self.original, self.dropped_parts)

    def keeps(self, part: MessagePart) -> bool:
        """Return whether a part wasn't dropped, if the message ever had it."""
        return all(dropped.part is not part for dropped in self.dropped)

    @property
    def parts(self) -> frozenset[MessagePart]:
        """The parts that it still has."""
        message = self.message
        thread = self.thread_ts is not None and self.keeps(MessagePart.THREAD)
        has = {
            MessagePart.PICTURE: any(block["type"] == "image" for block in message.blocks),
            MessagePart.BROADCAST: self.broadcast and thread and self.keeps(MessagePart.BROADCAST),
            MessagePart.BUTTONS: any(
                block["type"] == "actions" or "accessory" in block for block in message.blocks
            ),
            MessagePart.METADATA: self.metadata is not None and self.keeps(MessagePart.METADATA),
            MessagePart.BLOCKS: bool(message.blocks),
            MessagePart.THREAD: thread,
            MessagePart.EVERYBODY: any(target in _EVERYBODY_MENTIONS for target in message.mentions),
            MessagePart.MENTION: any(target not in _EVERYBODY_MENTIONS for target in message.mentions),
        }
        return frozenset(part for part, there in has.items() if there)

    def drop(self, part: MessagePart, reason: str, *, guessed: bool = False) -> OutgoingMessage:
        """The same without a part."""
        return replace(self, dropped=(*self.dropped, DroppedPart(part, reason, guessed)))

    def degrade(self, failure: SlackFailure) -> OutgoingMessage | None:
        """What to send in its place after a refusal; None where nothing of it is to blame, or left."""
        parts = self.parts
        if isinstance(failure, FileNotReady) and MessagePart.PICTURE in parts:
            # A picture that isn't ready is worth waiting for, which is the caller's to decide.
            return None
        if not isinstance(failure, Unlisted | ChannelUnavailable | FileNotReady):
            return None
        named = next((part for part in _parts_named_by(failure, self.message.blocks) if part in parts), None)
        if named is not None:
            return self.drop(named, failure.reason)
        part = next((part for part in DROP_ORDER if part in parts), None)
        if part is None or isinstance(failure, ChannelUnavailable):
            return None
        return self.drop(part, failure.reason, guessed=True)


def refused_mentions(original: Message, dropped: Iterable[DroppedPart]) -> dict[str, str]:
    """Whom a message was to mention and doesn't, each with Slack's word for why."""
    reasons = {drop.part: drop.reason for drop in dropped}
    found = {target: reasons.get(_mention_part(target)) for target in original.mentions}
    return {target: reason for target, reason in found.items() if reason is not None}


def remove_parts(message: Message, parts: frozenset[MessagePart]) -> Message:
    """A message without some of its parts; what is left says the same words."""
    if not parts:
        return message
    gone = tuple(target for target in message.mentions if _mention_part(target) in parts)
    text, shown = message.text, message.blocks
    if gone:
        pattern = re.compile("|".join(rf"{re.escape(target)}[ ]?" for target in gone))
        text = pattern.sub("", text).strip()
        shown = tuple(
            block for block in (_remove_mentions(block, pattern) for block in shown) if _has_text(block)
        )
    kept = Message(text, shown, tuple(target for target in message.mentions if target not in gone))
    less = [block for block in shown if not (MessagePart.PICTURE in parts and block["type"] == "image")]
    if MessagePart.BUTTONS in parts:
        less = [
            {key: value for key, value in block.items() if key != "accessory"}
            for block in less
            if block["type"] != "actions"
        ]
    if MessagePart.BLOCKS in parts or not less:
        # Blocks show what the text of a notification leaves out.
        return replace(kept, text=message_text.fallback_text(kept) if shown else text, blocks=())
    return replace(kept, blocks=tuple(less))


def _mention_part(target: str) -> MessagePart:
    return MessagePart.EVERYBODY if target in _EVERYBODY_MENTIONS else MessagePart.MENTION


def _parts_named_by(failure: SlackFailure, shown: tuple[Block, ...]) -> list[MessagePart]:
    """The parts that Slack's answer names, the likeliest first."""
    pointed = [int(index) for sentence in failure.details for index in _BLOCK_POINTER.findall(sentence)]
    kinds = {shown[index]["type"] if index < len(shown) else "" for index in pointed}
    if kinds == {"image"}:
        return [MessagePart.PICTURE]
    if kinds == {"actions"}:
        return [MessagePart.BUTTONS]
    return [part for pattern, parts in _PART_PATTERNS if pattern.search(failure.reason) for part in parts]


def _remove_mentions(block: Block, pattern: re.Pattern[str]) -> Block:
    found = block.get("text")
    if not isinstance(found, Mapping) or not pattern.search(str(found["text"])):
        return block
    return {**block, "text": {**found, "text": pattern.sub("", str(found["text"])).strip()}}


def _has_text(block: Block) -> bool:
    """Whether a section whose mention was taken away still has words."""
    return not (block["type"] == "section" and "text" in block and not block["text"]["text"])
