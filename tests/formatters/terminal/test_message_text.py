from collections.abc import Callable

import pytest

from formatters.blockkit import blocks, mrkdwn
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text


@pytest.mark.parametrize(
    ("marked", "stripped"),
    [
        ("*bold* and ~struck~ and _it_ and `code`", "bold and struck and it and code"),
        ("targeted_subthreshold 2*3*4", "targeted_subthreshold 2*3*4"),
        ("<https://x.org/?a=1&amp;b=2|A &amp; B>", "A & B (https://x.org/?a=1&b=2)"),
        ("<https://x.org/>", "https://x.org/"),
        ("<!date^1732587046^{time_secs}|02:10:46 UTC>", "02:10:46 UTC"),
        ("<@U024BE7LH> in <#C1|gw-cbc>", "@U024BE7LH in #gw-cbc"),
        ("<!here> <!subteam^S1|@team>", "@here @team"),
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_strip(marked: str, stripped: str) -> None:
    assert message_text.strip_mrkdwn(marked) == stripped


def test_all_kinds_of_blocks() -> None:
    message = Message(
        "push",
        (
            blocks.header("BNS >99 % & more"),
            blocks.section("*one*", "two"),
            {"type": "divider"},
            {"type": "image", "alt_text": "a sky map", "image_url": "https://x.org/a.png"},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "*left*"}]},
            blocks.context("small"),
            blocks.actions(blocks.button("GraceDB", "a", url="https://x.org/"), blocks.button("Post", "b")),
        ),
    )
    assert message_text.render(message).splitlines() == [
        "BNS >99 % & more",
        "════════════════",
        "one",
        "two",
        "─" * 40,
        "[picture: a sky map]",
        "left",
        "small",
        "GraceDB: https://x.org/ · [Post]",
    ]


def test_a_message_of_words_alone() -> None:
    assert message_text.render(Message("BNS &gt;99% *now*")) == "BNS >99% now"


def test_the_notification_alone() -> None:
    assert (
        message_text.notification_text(Message("BNS &gt;99% FAR &lt;1/10⁶ yr", (blocks.section("more"),)))
        == "BNS >99% FAR <1/10⁶ yr"
    )


def test_fallback_text_keeps_mentions_and_drops_buttons(
    stories: dict[str, list[Notice]],
) -> None:
    targets = ("<!channel>", "<@U12>", "<@U1>", "<!subteam^S0AB1>")
    superevent = Superevent.from_notices(stories["bns"][:1])
    said = message_text.fallback_text(
        alert_card.alert_card(superevent, ChannelView(mentions=targets, is_root=True))
    )
    assert said.startswith("<!channel> <@U12> <@U1> <!subteam^S0AB1>\n")
    assert "observing" not in said and "GraceDB: https://gracedb.ligo.org/" in said
    quiet = message_text.fallback_text(
        alert_card.alert_card(superevent, ChannelView(observers=("U12",), is_root=True))
    )
    assert "Observing: @U12" in quiet, "who observes needn't hear of each edit"


def test_what_only_acts_is_left_out_of_text_and_what_opens_a_page_stays(
    stories: dict[str, list[Notice]],
) -> None:
    superevent = Superevent.from_notices(stories["bns"][:1])
    card = alert_card.alert_card(superevent, ChannelView(is_root=True))
    shown = message_text.render(card)
    assert "[Check position] · GraceDB: https://" in shown and "Circulars: https://gcn.nasa.gov/" in shown
    assert shown.endswith("[History] · [Mute here]")
    said = message_text.fallback_text(card)
    assert "Circulars: https://gcn.nasa.gov/" in said and "Treasure Map: https://" in said
    assert not any(words in said for words in ("History", "Mute here", "Check position"))


def test_the_fallback_says_all_of_it_escaped(stories: dict[str, list[Notice]]) -> None:
    for notices in stories.values():
        message = alert_card.alert_card(Superevent.from_notices(notices), ChannelView())
        text = message_text.fallback_text(message)
        assert mrkdwn.utf16_length(text) <= mrkdwn.TEXT_MAX
        assert "<" not in text
        assert mrkdwn.unescape(text).splitlines()[0] == message_text.render(message).splitlines()[0]
        assert notices[0].superevent_id in text


def test_every_line_of_a_real_card_is_plain(make_notice: Callable[..., Notice]) -> None:
    text = message_text.render(alert_card.alert_card(Superevent.from_notices([make_notice()]), ChannelView()))
    assert not set("*~`<") & set(text.replace("<1 %", ""))
    assert "\u00a0" not in text
