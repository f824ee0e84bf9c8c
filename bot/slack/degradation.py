"""Decide which part of a message to drop if Slack refuses it, so that its words are posted anyway. Pure.

A message is its words and up to nine further parts (`MessagePart`). Slack refuses a whole call because of
one part, often with an error code that stands in no list here. Then parts are dropped until Slack accepts
the call or none is left:

1. A code that names a part (`slack_connect_file_upload_sharing_blocked`, `metadata_too_large`, or
   `invalid_blocks` with a pointer to a picture) drops that part alone; see `_PART_PATTERNS`. Of a text
   that is too long (`msg_too_long`) the beginning is posted: Slack's limits are lower than its documentation
   says, and may count bytes.
2. A code that is known to be about something else (the channel, the token, a limit, Slack's own state) drops
   nothing: no part is to blame.
3. Any other code drops the next part of `DROP_ORDER`. What Slack meant isn't known, so this is a guess.

`restricted_action` means that only some people may do this. If the message mentions somebody, that is about
the mention ("who may use @here"), else about the channel. So it names the mention; without one rule 2
applies.

`SlackClient` makes the calls; `bot.delivery.degraded_messages` remembers dropped parts between two attempts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.slack.errors import ChannelUnavailable, FileNotReady, Rejected, SlackFailure, Unlisted
from bot.slack.message_parts import DroppedPart, MessagePart
from formatters.blockkit.blocks import fit_lines
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import utf16_length
from formatters.terminal import message_text

DROP_ORDER: tuple[MessagePart, ...] = tuple(part for part in MessagePart if part is not MessagePart.TAIL)
"""The order in which parts are dropped by guess; mentions last, since they wake people, and words never."""

SHORT_TEXT = 1_000
"""UTF-16 units of a text that isn't too long for Slack, whatever it counts: an alert's first lines."""

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
    (re.compile(r"(^|_)too_(long|large|big)(_|$)"), (MessagePart.TAIL, MessagePart.BLOCKS)),
)
"""Error codes and the parts that they name: patterns, not lists, so that new codes match too."""

_BLOCK_POINTER = re.compile(r"\[json-pointer:/blocks/(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A message that is being sent, and the parts dropped so far."""

    original: Message
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Mapping[str, Any] | None = None
    dropped: tuple[DroppedPart, ...] = ()

    @property
    def dropped_parts(self) -> frozenset[MessagePart]:
        """The parts that were dropped."""
        return frozenset(dropped.part for dropped in self.dropped)

    @property
    def message(self) -> Message:
        """The message without the dropped parts."""
        return remove_parts(self.original, self.dropped_parts)

    def keeps(self, part: MessagePart) -> bool:
        """Return whether a part wasn't dropped, if the message ever had it."""
        return all(dropped.part is not part for dropped in self.dropped)

    @property
    def parts(self) -> frozenset[MessagePart]:
        """The parts that it has and that weren't dropped."""
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
            MessagePart.TAIL: utf16_length(message.text) > SHORT_TEXT and self.keeps(MessagePart.TAIL),
        }
        return frozenset(part for part, there in has.items() if there)

    def drop(self, part: MessagePart, reason: str, *, guessed: bool = False) -> OutgoingMessage:
        """Return this message with one more part dropped."""
        return replace(self, dropped=(*self.dropped, DroppedPart(part, reason, guessed)))

    def degrade(self, failure: SlackFailure) -> OutgoingMessage | None:
        """Return the message to send after a refusal; None if no part is to blame, or none is left."""
        parts = self.parts
        if isinstance(failure, FileNotReady) and MessagePart.PICTURE in parts:
            # Whether to wait for an image that isn't ready is the caller's decision.
            return None
        if not isinstance(failure, Unlisted | ChannelUnavailable | FileNotReady | Rejected):
            return None
        named = next((part for part in _parts_named_by(failure, self.message.blocks) if part in parts), None)
        if named is not None:
            return self.drop(named, failure.reason)
        part = next((part for part in DROP_ORDER if part in parts), None)
        if part is None or isinstance(failure, ChannelUnavailable | Rejected):
            return None
        return self.drop(part, failure.reason, guessed=True)


def refused_mentions(original: Message, dropped: Iterable[DroppedPart]) -> dict[str, str]:
    """Return the mentions of a message that were dropped, each with Slack's error code."""
    reasons = {drop.part: drop.reason for drop in dropped}
    found = {target: reasons.get(_mention_part(target)) for target in original.mentions}
    return {target: reason for target, reason in found.items() if reason is not None}


def remove_parts(message: Message, parts: frozenset[MessagePart]) -> Message:
    """Return a message without some of its parts, and with the same words."""
    if not parts:
        return message
    if MessagePart.TAIL in parts:
        return _without_tail(remove_parts(message, parts - {MessagePart.TAIL}))
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
        # The notification's text is shorter than the blocks.
        return replace(kept, text=message_text.fallback_text(kept) if shown else text, blocks=())
    return replace(kept, blocks=tuple(less))


def _without_tail(message: Message) -> Message:
    """Return a message with the beginning of its text, and with the mentions of the rest."""
    text = fit_lines(message.text.splitlines(), SHORT_TEXT)
    late = [target for target in message.mentions if target in message.text and target not in text]
    return replace(message, text=" ".join([*late, text]))


def _mention_part(target: str) -> MessagePart:
    return MessagePart.EVERYBODY if target in _EVERYBODY_MENTIONS else MessagePart.MENTION


def _parts_named_by(failure: SlackFailure, shown: tuple[Block, ...]) -> list[MessagePart]:
    """Return the parts that Slack's answer names, the likeliest first."""
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
    """Return whether a block has words left after its mention was removed."""
    return not (block["type"] == "section" and "text" in block and not block["text"]["text"])
