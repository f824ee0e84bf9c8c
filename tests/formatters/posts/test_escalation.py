"""What is said to whoever is next."""

from __future__ import annotations

from datetime import timedelta

from formatters.models.superevent import Superevent
from formatters.posts.escalation import step_message, webhook_refused
from formatters.posts.event_buttons import ACKNOWLEDGE_ACTION
from formatters.terminal import message_text
from tests.support.factories import NOW, decoded_notice

EVENT = Superevent.from_notices([decoded_notice()])
ROOT = "https://slack.example/archives/C1/p1"


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_a_step_mentions_whoever_is_next_and_says_when_nobody_had_it() -> None:
    targets = ("<@U2>", "<!subteam^S1>")
    made = step_message(EVENT, targets, NOW + timedelta(minutes=5), ROOT, "Gold")
    assert made.mentions == targets
    assert plain(made.text).startswith(
        "<@U2> <!subteam^S1> BNS 95 % · PRELIMINARY · S261122a · At 12:05 UTC (T+6 min) nobody had it · "
    )
    assert "Gold" in made.text, "what the channel's criteria sets say"
    section, actions = made.blocks
    assert section["text"]["text"].startswith("<@U2> <!subteam^S1> *BNS")
    assert f"<{ROOT}|All of S261122a>" in section["text"]["text"]
    (button,) = actions["elements"]
    assert (button["action_id"], button["value"]) == (ACKNOWLEDGE_ACTION, "S261122a")


def test_it_says_the_same_whenever_it_is_rendered() -> None:
    at = NOW + timedelta(minutes=5)
    assert step_message(EVENT, ("<@U2>",), at, None) == step_message(EVENT, ("<@U2>",), at, None)


def test_where_no_notice_says_when_the_merger_was_the_date_is_given() -> None:
    nothing = Superevent.from_notices([decoded_notice(alert_type="RETRACTION")])
    made = step_message(nothing, ("<@U2>",), NOW, None)
    assert "At 2026-11-22 12:00 UTC nobody had it" in plain(made.text)


def test_a_webhook_that_cannot_be_called_mentions_nobody() -> None:
    made = webhook_refused(EVENT, NOW, ROOT)
    assert made.mentions == () and not made.text.startswith(" ")
    assert "isn't called" in made.text and "<@" not in made.text
    assert "I have it" in message_text.render(made)
