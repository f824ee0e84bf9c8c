"""The replies about mutes, and the note in a mention."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from formatters.blockkit.message import Message
from formatters.models.forgotten import FORGOTTEN
from formatters.models.superevent import Superevent
from formatters.posts import mention, mute
from formatters.terminal import message_text
from tests.support.factories import MOCK, NOW, decoded_notice

Check = Callable[[Message], Message]

FIRST = decoded_notice()
EVENT = Superevent.from_notices([FIRST])
RETRACTED = Superevent.from_notices([FIRST, decoded_notice(alert_type="RETRACTION", minutes=5)])
MOCKED = Superevent.from_notices([decoded_notice(MOCK)])


def test_who_muted_what_when_and_what_still_comes(check: Check) -> None:
    said = message_text.render(check(mute.muted(EVENT, "U1", NOW)))
    assert said.startswith(f"Muted here by @U1 at 2026-11-22 12:00:00 UTC: {EVENT.superevent_id}")
    assert "but for its retraction" in said and "Mentions" in said
    assert f"/gwevent unmute {EVENT.superevent_id}" in said


@pytest.mark.parametrize(
    ("missed", "words"),
    [
        (None, "isn't known any more"),
        (0, "No notice came meanwhile"),
        (1, "1 notice came meanwhile"),
        (1000, "1,000 notices came meanwhile"),
    ],
)
def test_the_end_of_a_mute_says_how_many_notices_came(check: Check, missed: int | None, words: str) -> None:
    message = check(mute.unmuted(EVENT, "U1", NOW, missed))
    assert words in message_text.render(message) and words in message.text


@pytest.mark.parametrize(
    ("event", "mark"), [(RETRACTED, "RETRACTED"), (MOCKED, "MOCK")], ids=["retracted", "mock"]
)
def test_the_event_is_named_with_its_marks(check: Check, event: Superevent, mark: str) -> None:
    for message in (mute.muted(event, "U1", NOW), mute.unmuted(event, "U1", NOW, 2)):
        assert f"{mark} · {event.superevent_id}" in message_text.render(check(message))
        assert f"{mark} · {event.superevent_id}" in message.text


@pytest.mark.parametrize("user", ["<!channel>", "U1> <!here", "import", FORGOTTEN, "x" * 500])
def test_whoever_did_it_is_no_mark_up(check: Check, user: str) -> None:
    for message in (mute.muted(EVENT, user, NOW), mute.unmuted(EVENT, user, NOW, 1)):
        assert "<!" not in str(check(message).blocks) and FORGOTTEN not in str(message.blocks)


def test_a_mention_of_a_muted_event_says_that_the_card_is_older(check: Check) -> None:
    plain = check(mention.mention_message(EVENT, FIRST, ("<!here>",), "https://slack.example/p1"))
    noted = check(
        mention.mention_message(EVENT, FIRST, ("<!here>",), "https://slack.example/p1", is_muted=True)
    )
    assert "uted" not in message_text.render(plain) and noted.text == plain.text
    assert "Muted in this channel, so its card shows an older state" in message_text.render(noted)
