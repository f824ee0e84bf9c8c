"""What Slack makes of what people type."""

import pytest

from bot.local_slack.text_escaping import encode_command_text, encode_message_text

PEOPLE = {"observer": "U1", "gwevent": "U2"}
CHANNELS = {"gw-cbc": "C1"}


@pytest.mark.parametrize(
    ("typed", "arrives"),
    [
        ("BNS>0.5 & <b>", "BNS&gt;0.5 &amp; &lt;b&gt;"),
        ("@gwevent latest", "<@U2> latest"),
        ("see #gw-cbc and #nowhere", "see <#C1|> and #nowhere"),
        ("me@observer.org", "me@observer.org"),
        ("https://gracedb.ligo.org/a?b=1&c=2.", "<https://gracedb.ligo.org/a?b=1&amp;c=2>."),
        ("https://example.org/@observer", "<https://example.org/@observer>"),
        ("<@U1>", "&lt;@U1&gt;"),
    ],
)
def test_a_message(typed: str, arrives: str) -> None:
    assert encode_message_text(typed, PEOPLE, CHANNELS) == arrives


def test_a_command_gets_ids_only_where_the_manifest_says_so() -> None:
    text = "a<b @observer #gw-cbc @nobody"
    with_ids = encode_command_text(text, PEOPLE, CHANNELS, should_escape=True)
    assert with_ids == "a&lt;b <@U1|observer> <#C1|gw-cbc> @nobody"
    assert (
        encode_command_text(text, PEOPLE, CHANNELS, should_escape=False) == "a&lt;b @observer #gw-cbc @nobody"
    )
