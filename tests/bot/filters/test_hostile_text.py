"""Hostile words in every field of a notice, of a question, of a filter, of an id and of a setting."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.alerts.decode import MAX_PAYLOAD_BYTES, UndecodablePayload, decode, notice_from_record
from bot.alerts.payload import read_record
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.filters import FilterSyntaxError, parse_criteria
from bot.samples import bns, edge_cases, mock
from bot.settings import Settings, SettingsError
from formatters.answers import recent
from formatters.blockkit.message import Message
from formatters.models.notice import Notice, canonical_id
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update, unreadable_notice
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text, notice_text
from tests.bot.commands.test_router import create_router
from tests.support.factories import TEAM, decoded_notice, record_notices
from tests.support.mention_probe import find_mentions

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PIECES = (
    "<!channel>", "<!here|here>", "<!everyone>", "<!subteam^S0AB1|@group>", "<@U024BE7LH>", "<@U1|x>",
    "<#C024BE7LR>", "<http://evil.example|GraceDB>", "&lt;!channel&gt;", "&amp;lt;!here&amp;gt;", "@channel",
    "@here", "<", ">", "|", "&", "*", "_", "~", "`", "\n", "\r\n", "> ", "```", "\u202e", "\u2028", "\0",
    "😀", ":boom:", "<!date^1^{date}^http://evil.example|x>", " ", "a", "S241126dm", "<<!channel>>",
    "<!chan", "nel>",
    "\u200b", "\ud800", "%s", "{0}", "http://evil.example",
)  # fmt: skip
WORDS = (
    "latest", "recent", "status", "sites", "add", "visible", "check", "subscribe", "unsubscribe", "notify",
    "if", "NS", "CBC", "-1", "S241126dm",
)  # fmt: skip
FILTER_WORDS = (
    "CBC", "mock", "notify", "@here", "if", "NS", "all", "grade", "criteria", "x", ">=", "Gold", '"lensed A"',
    "within", "200Mpc", "mchirp", "2.3..5.5", "2.3", ">", "0.9",
)  # fmt: skip
hostile = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
quick = partial(settings, deadline=None, suppress_health_check=list(HealthCheck))
KEPT = {"superevent_id", "time_created", "time"}
"""Without these a notice is refused, whatever else it says."""


def spoiled(value: Any, said: Callable[[], str], keys: bool) -> Any:
    """The same record with other words in every field, and with `keys` in the names of its maps."""
    if isinstance(value, dict):
        return {
            (said() if keys and name[:1].isupper() else name): inner
            if name in KEPT or isinstance(inner, bytes)
            else spoiled(inner, said, keys)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [spoiled(inner, said, keys) for inner in value]
    return said() if isinstance(value, str) or (value is None and keys) else value


def every_face(superevent: Superevent) -> list[Message]:
    """All that is said of a superevent."""
    messages = [alert_card.alert_card(superevent, ChannelView())]
    messages += [alert_update.alert_update(superevent, notice) for notice in superevent.notices]
    messages.append(recent.message(recent.RecentEvents([superevent]), NOW))
    for notice in superevent.notices:
        assert notice_text.to_text(notice)
    return messages


# One of the records is enough for each example: they are read in turn.
RECORDS = st.deferred(lambda: st.sampled_from([bns(NOW)[-1], mock(NOW)[0], edge_cases.unknown_keys(NOW)]))


@pytest.mark.slow
@quick(max_examples=80)
@given(st.lists(hostile, min_size=5, max_size=5), RECORDS, st.booleans(), st.booleans())
def test_nothing_in_a_notice_pings_anybody(
    words: list[str], record: dict[str, Any], keys: bool, known_type: bool
) -> None:
    turn = cycle(words)
    changed = spoiled(record, lambda: next(turn), keys)
    # The map is another's concern, and takes the longest.
    for part, key in (("event", "skymap"), ("external_coinc", "combined_skymap")):
        if isinstance(changed.get(part), dict):
            changed[part][key] = None
    if known_type:
        changed["alert_type"] = "UPDATE"
    try:
        notice = notice_from_record(changed)
    except UndecodablePayload:
        assert not known_type
        return
    assert Notice.from_json(notice.to_json()) == notice
    for message in every_face(Superevent.from_notices([notice, decoded_notice(notice.superevent_id)])):
        assert find_mentions(message) == [], message
        assert message_text.render(message)


@pytest.mark.parametrize("word", ["<!channel>", "<@U024BE7LH>", "<http://evil.example|x>"])
def test_nothing_in_a_map_pings_anybody(word: str) -> None:
    fits = edge_cases.few_rows()
    for key in (b"INSTRUME", b"CREATOR ", b"OBJECT  "):
        at = fits.index(key + b"= ")
        fits = fits[:at] + f"{key.decode()}= '{word}'".encode().ljust(80) + fits[at + 80 :]
    notice = notice_from_record(edge_cases.with_map(NOW, fits))
    assert notice.localization is not None and word in (notice.localization.creator or "")
    for message in every_face(Superevent.from_notices([notice])):
        assert find_mentions(message) == [], message


@quick(max_examples=100)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.booleans())
def test_the_reason_for_a_refusal_pings_nobody(words: str, in_codec: bool) -> None:
    body = words.encode("utf-8", "replace")
    header = b'Obj\x01\x04\x16avro.schema\x0c"null"\x14avro.codec'
    packed = header + bytes([2 * len(body[:60])]) + body[:60] + bytes(17) + b"\x02\0" + bytes(16)
    with pytest.raises(UndecodablePayload) as caught:
        decode(packed if in_codec else body)
    reason = caught.value.reason
    assert reason.endswith(".")
    for message in (
        unreadable_notice.message("S241126dm", reason, words),
        unreadable_notice.quarantine_report(None, reason, words),
    ):
        assert find_mentions(message) == [], message


@pytest.mark.slow
@quick(max_examples=120)
@given(
    st.lists(
        st.sampled_from(WORDS) | hostile | st.text(max_size=30),
        max_size=7,
    ).map(" ".join)
)
async def test_answers_to_any_text_mention_nobody(factory: Factory, words: str) -> None:
    if not await factory.notices.recent_ids():
        await record_notices(factory, decoded_notice())
    asked = create_router(factory)
    # From the terminal: there subscribing says only that it belongs to Slack.
    assert find_mentions(await asked.dispatch(words, None)) == []
    asker = CommandContext(TEAM, "C1", "U1")
    for shared in (False, True):
        if "sub" not in words.casefold():
            message = await asked.dispatch(words, asker, shared=shared)
            assert message.text and [p for p in find_mentions(message) if p not in ("<@U1>", "@U1")] == []


@quick(max_examples=150)
@given(st.lists(st.sampled_from(FILTER_WORDS) | hostile, max_size=8))
def test_a_filter_is_understood_or_refused_in_a_sentence(words: list[str]) -> None:
    try:
        criteria = parse_criteria(" ".join(words))
    except FilterSyntaxError as error:
        assert str(error).endswith((".", "?"))
    else:
        assert parse_criteria(criteria.canonical) == criteria


@pytest.mark.slow
@quick(max_examples=150)
@given(st.from_regex(r"[MTmt]?(S|s|GW|gw)\d{0,8}[a-zA-Z]{0,12}\s?", fullmatch=True) | hostile | st.text())
def test_an_id_is_one_or_none(text: str) -> None:
    found = canonical_id(text)
    assert found is None or (found.isascii() and found.isalnum() and canonical_id(found) == found)


NAMES = [
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    *(f"GWEVENT_{n.upper()}" for n in Settings.model_fields if "token" not in n),
]
USUAL = (
    "", " ", "0", "-1", "1e999", "NaN", "9" * 400, "true", "xoxb-", "xapp-", "https://", "https://[", "kafka://h/t",
    "http://127.0.0.1:99999/", "kafka://h:x/t", "kafka://u:pw@h/t", "sqlite://", "postgresql://",
    "C0123456789",
    "\u0661\u0662",
)  # fmt: skip
VALUES = hostile | st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.sampled_from(USUAL)


@pytest.mark.slow
@quick(max_examples=150)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=4))
def test_settings_are_good_or_refused_in_a_sentence(given_values: dict[str, str]) -> None:
    usable = {
        name: value.encode("utf-8", "replace").decode().replace("\0", "")
        for name, value in given_values.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("GWEVENT_", "SLACK_"))]:
            patch.delenv(name)
        for name, value in usable.items():
            patch.setenv(name, value)
        try:
            loaded = Settings.load(None)
        except SettingsError as error:
            assert str(error).endswith(".") and "\n" not in str(error)
        else:
            assert loaded.effective_database_url and loaded.max_age > timedelta(0)
            for name, value in usable.items():
                if "TOKEN" in name and len(value.strip()) > 6:
                    assert value not in repr(loaded)


def test_oversized_payload_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    def untouched(*_: object) -> None:
        raise AssertionError("it was read")

    for name in ("bot.alerts.payload._parse_json", "bot.alerts.payload._parse_avro"):
        monkeypatch.setattr(name, untouched)
    for start in (b"{", b"Obj\x01"):
        with pytest.raises(UndecodablePayload, match="at most 16,777,216"):
            read_record(start.ljust(MAX_PAYLOAD_BYTES + 1))


def test_a_databases_password_is_in_no_repr() -> None:
    given_url = {"database_url": "postgresql://bot:swordfish@db/gwevent", "slack_bot_token": "xoxb-swordfish"}
    assert "swordfish" not in repr(Settings.model_validate(given_url))
