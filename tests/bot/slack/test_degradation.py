"""A refused message loses only the parts that it must, and never its words."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.local_slack.web_api.odd_answers import random_error_name
from bot.slack.degradation import (
    DROP_ORDER,
    MENTION_PARTS,
    SHORT_TEXT,
    OutgoingMessage,
    refused_mentions,
)
from bot.slack.errors import (
    ChannelUnavailable,
    FileNotReady,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RootOutOfReach,
    SlackFailure,
    Unlisted,
    WorkspaceUnavailable,
    failure_from_code,
)
from bot.slack.message_metadata import DeliveryMetadata
from bot.slack.message_parts import MessagePart
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, mention
from formatters.posts.channel_view import ChannelView, ImageRef
from formatters.terminal import message_text
from tests.support.factories import REAL, decoded_notice

EVERYONE, ALICE = "<!here>", "<@U024BE7LH>"
EVENT = Superevent.from_notices([decoded_notice()])

NAMING: Mapping[MessagePart, tuple[str, ...]] = {
    MessagePart.PICTURE: (
        "slack_connect_file_upload_sharing_blocked",
        "slack_connect_file_link_sharing_blocked",
        "slack_connect_blocked_file_type",
        "file_not_found",
        "file_is_deleted",
        "unable_to_share_files",
        "max_file_sharing_exceeded",
        "invalid_slack_file",
        "invalid_image_url",
    ),
    MessagePart.BROADCAST: ("cant_broadcast_message", "no_dual_broadcast_content_update"),
    MessagePart.BUTTONS: ("too_many_buttons",),
    MessagePart.METADATA: (
        "metadata_too_large",
        "metadata_must_be_sent_from_app",
        "invalid_metadata_format",
        "invalid_metadata_schema",
    ),
    MessagePart.BLOCKS: (
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "too_many_blocks",
        "block_mismatch",
    ),
    MessagePart.THREAD: (
        "restricted_action_thread_locked",
        "restricted_action_non_threadable_channel",
        "cannot_reply_to_message",
        "invalid_thread_ts",
        "restricted_action_replies_closed",
    ),
    MessagePart.EVERYBODY: ("restricted_action", "restricted_action_at_here", "cant_mention"),
    MessagePart.MENTION: ("restricted_action_user_groups", "too_many_mentions"),
}

unlisted = st.integers(0, 2**32).map(lambda seed: random_error_name(random.Random(seed)))


@st.composite
def messages(draw: st.DrawFn) -> OutgoingMessage:
    """Draw a root, a reply or a mention, with some of its possible parts."""
    who = tuple(draw(st.sets(st.sampled_from([EVERYONE, "<!channel>", ALICE, "<!subteam^S0AB1>"]))))
    kind = draw(st.sampled_from(["root", "reply", "mention"]))
    if kind == "mention":
        whole = mention.retraction_mention(EVENT, who or (EVERYONE,), None)
    else:
        picture = ImageRef(alt_text="Sky map", file_id="F0123456789") if draw(st.booleans()) else None
        view = ChannelView(is_root=True, image=picture, mentions=who if kind == "root" else ())
        whole = alert_card.alert_card(EVENT, view)
    return OutgoingMessage(
        original=whole,
        thread_ts="1.000001" if kind == "reply" else None,
        broadcast=kind == "reply" and draw(st.booleans()),
        metadata=DeliveryMetadata(delivery_id=7, key="k").slack_metadata if draw(st.booleans()) else None,
    )


def send(
    outgoing: OutgoingMessage, refuses: frozenset[MessagePart], word: Callable[[MessagePart], str]
) -> tuple[OutgoingMessage | None, SlackFailure | None, int]:
    """Send to a Slack that refuses parts; return what it accepted, the failure, and the number of calls."""
    for calls in range(1, 20):
        found = next((part for part in DROP_ORDER if part in refuses & outgoing.parts), None)
        if found is None:
            return outgoing, None, calls
        refusal = failure_from_code(word(found), None)
        less = outgoing.degrade(refusal)
        if less is None:
            return None, refusal, calls
        assert less.dropped_parts > outgoing.dropped_parts, "something goes each time"
        outgoing = less
    raise AssertionError("it never ends")


def said(message: Message) -> str:
    return f"{message.text} {message_text.render(message)}"


def whole_words(message: Message) -> set[str]:
    """Return a message's own words, without mentions, images and buttons."""
    bare = [b for b in message.blocks if b["type"] not in ("image", "actions")]
    text = message_text.render(Message(message.text, tuple(bare)))
    for target in message.mentions:
        text = text.replace(message_text.strip_mrkdwn(target), "")
    return set(re.findall(r"[A-Za-z0-9]{3,}", text))


@pytest.mark.slow
@given(messages(), st.sets(st.sampled_from(DROP_ORDER), min_size=1).map(frozenset), unlisted)
def test_words_are_posted_whichever_parts_slack_refuses(
    outgoing: OutgoingMessage, refuses: frozenset[MessagePart], word: str
) -> None:
    taken, _, calls = send(outgoing, refuses, lambda _: word)
    assert taken is not None and calls <= len(DROP_ORDER) + 1
    assert not taken.parts & refuses
    assert whole_words(outgoing.original) <= set(re.findall(r"[A-Za-z0-9]{3,}", said(taken.message)))
    # What Slack doesn't name goes in turn, the mentions last.
    order = [drop.part for drop in taken.dropped]
    assert order == sorted(order, key=DROP_ORDER.index)
    assert not order or order[-1] in refuses or order[-1] is MessagePart.BLOCKS
    assert all(drop.guessed for drop in taken.dropped)
    if not refuses & set(MENTION_PARTS):
        assert taken.message.mentions == outgoing.original.mentions


@pytest.mark.slow
@given(messages(), st.data())
def test_error_naming_a_part_drops_only_that_part(outgoing: OutgoingMessage, data: st.DataObject) -> None:
    refuses = data.draw(st.sets(st.sampled_from(DROP_ORDER), min_size=1).map(frozenset))
    names = {part: data.draw(st.sampled_from(NAMING[part])) for part in DROP_ORDER}
    taken, _, _ = send(outgoing, refuses, names.__getitem__)
    assert taken is not None and not taken.parts & refuses
    assert taken.dropped_parts <= refuses | (
        {MessagePart.EVERYBODY} if MessagePart.MENTION in refuses else set()
    )
    assert not any(drop.guessed for drop in taken.dropped)
    assert whole_words(outgoing.original) <= set(re.findall(r"[A-Za-z0-9]{3,}", said(taken.message)))


@given(messages(), unlisted)
def test_refused_mentions_are_recorded_with_the_reason(outgoing: OutgoingMessage, word: str) -> None:
    taken, _, _ = send(outgoing, frozenset({MessagePart.EVERYBODY}), lambda _: word)
    assert taken is not None
    gone = [target for target in outgoing.original.mentions if target in (EVERYONE, "<!channel>")]
    assert refused_mentions(outgoing.original, taken.dropped) == dict.fromkeys(gone, word)
    assert not any(target in str(taken.message) for target in gone)
    assert all(target in taken.message.text for target in taken.message.mentions)


@pytest.mark.parametrize("index_of", ["image", "actions"])
def test_a_pointer_names_the_block(index_of: str) -> None:
    view = ChannelView(is_root=True, image=ImageRef(alt_text="Sky map", url="https://example.org/a.png"))
    outgoing = OutgoingMessage(original=alert_card.alert_card(EVENT, view))
    at = [block["type"] for block in outgoing.original.blocks].index(index_of)
    refusal = failure_from_code("invalid_blocks", None)
    refusal.details = (f"must be shorter [json-pointer:/blocks/{at}/alt_text]",)
    less = outgoing.degrade(refusal)
    assert less is not None
    assert less.dropped_parts == {MessagePart.PICTURE if index_of == "image" else MessagePart.BUTTONS}


def test_a_channel_that_keeps_posting_to_some_is_a_channels_problem() -> None:
    outgoing = OutgoingMessage(
        original=alert_card.alert_card(EVENT, ChannelView(is_root=True, mentions=(EVERYONE, ALICE)))
    )
    order = []
    while (less := outgoing.degrade(failure_from_code("restricted_action", None))) is not None:
        order.append(less.dropped[-1].part)
        outgoing = less
    assert order == list(MENTION_PARTS), "the mention may be to blame, nothing else"
    assert MessagePart.BUTTONS in outgoing.parts


@pytest.mark.parametrize(
    "blameless",
    [
        *(failure_from_code(word, 1.0) for word in ("channel_not_found", "is_archived", "not_in_channel")),
        *(failure_from_code(word, 1.0) for word in ("token_revoked", "missing_scope", "ratelimited")),
        *(
            failure_from_code(word, 1.0)
            for word in ("internal_error", "message_not_found", "thread_not_found")
        ),
        failure_from_code("no_text", None),
        FileNotReady("invalid slack file"),
        OutcomeUnknown("HTTP 502"),
    ],
    ids=str,
)
def test_unrelated_error_drops_no_part(blameless: SlackFailure) -> None:
    view = ChannelView(is_root=True, image=ImageRef(alt_text="Sky map", file_id="F0123456789"))
    whole = OutgoingMessage(
        original=alert_card.alert_card(EVENT, view),
        thread_ts="1.000001",
        metadata=DeliveryMetadata(delivery_id=1).slack_metadata,
    )
    assert whole.degrade(blameless) is None


@given(unlisted)
def test_an_unlisted_word_ends_nothing(word: str) -> None:
    assert isinstance(failure_from_code(word, None), Unlisted)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("update_failed", Unlisted),
        ("external_channel_migrating", Unlisted),
        ("unable_to_share_files", Unlisted),
        ("posting_to_channel_denied", Unlisted),
        ("restricted_action_thread_locked", Unlisted),
        ("restricted_action", ChannelUnavailable),
        ("msg_too_long", Rejected),
        ("edit_window_closed", RootOutOfReach),
        ("token_expired", WorkspaceUnavailable),
        ("rate_limited", RateLimited),
    ],
)
def test_error_codes_map_to_failures(word: str, kind: type[SlackFailure]) -> None:
    assert type(failure_from_code(word, None)) is kind


def test_message_without_blocks_keeps_its_words() -> None:
    outgoing = OutgoingMessage(
        original=alert_card.alert_card(EVENT, ChannelView(is_root=True, mentions=(EVERYONE,)))
    )
    bare = outgoing.drop(MessagePart.BLOCKS, "why").message
    assert bare.blocks == () and REAL in bare.text and bare.text.count(EVERYONE) == 1
    assert "I'm observing" not in bare.text


@given(messages(), st.sampled_from(["msg_too_long", "message_too_large"]))
def test_of_a_text_that_is_too_long_the_beginning_is_posted(outgoing: OutgoingMessage, word: str) -> None:
    """Slack refuses the layout, and counts the bytes of the text."""
    outgoing = outgoing.drop(MessagePart.BLOCKS, "invalid_blocks")
    long = Message(f"{outgoing.message.text}\n" + "Ω_obs = 30 %\n" * 400, (), outgoing.message.mentions)
    outgoing = replace(outgoing, original=long)
    less = outgoing.degrade(failure_from_code(word, None))
    assert less is not None and less.dropped[-1].part is MessagePart.TAIL and not less.dropped[-1].guessed
    sent = less.message
    assert len(sent.text) <= SHORT_TEXT + len(" ".join(long.mentions)) + 1
    assert all(target in sent.text for target in long.mentions) and sent.mentions == long.mentions
    assert sent.text.splitlines()[0].endswith(long.text.splitlines()[0][-20:])
    assert less.degrade(failure_from_code("msg_too_long", None)) is None, "it is given up"
