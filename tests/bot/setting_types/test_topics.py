"""Topics and their streams in the settings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.setting_types.topics import (
    STREAM_NAMES,
    UNKNOWN_STREAM,
    ConfiguredTopic,
    parse_topic_streams,
    parse_topics,
)
from bot.settings import Settings, SettingsError

NAMES = st.from_regex(r"[a-z0-9_-][a-z0-9._-]{0,20}", fullmatch=True)


def configured(**given: str) -> Settings:
    return Settings.model_validate(given)


def entries(topics: tuple[ConfiguredTopic, ...], *, optional: bool) -> list[str]:
    return [topic.entry for topic in topics if topic.is_optional is optional]


@pytest.mark.parametrize(
    ("topic", "stream"),
    [
        ("igwn.gwalert", "alerts"),
        ("igwn.gwalert-test", "alerts"),
        ("igwn.gwistat.H1", UNKNOWN_STREAM),
        ("gcn.circulars", "circulars"),
        ("gcn.notices.icecube.lvk_nu_track_search", "icecube"),
        ("gcn.notices.icecube.gold_bronze_track_alerts", "nearby"),
        ("gcn.notices.swift.bat.guano", "guano"),
        ("gcn.notices.boom.alert", "boom"),
        ("hermes.discovery", "hermes"),
        ("gcn.notices.fermi.gbm.alert", "nearby"),
        ("gcn.notices.new", UNKNOWN_STREAM),
    ],
)
def test_the_default_says_what_a_topic_brings(topic: str, stream: str) -> None:
    assert parse_topic_streams("").stream_of(topic) == stream


def test_a_name_counts_before_a_pattern_and_a_longer_pattern_before_a_shorter() -> None:
    streams = parse_topic_streams("hermes.grb.*=nearby, hermes.grb.x = ICECUBE, my.*=alerts")
    assert [streams.stream_of(topic) for topic in ("hermes.a", "hermes.grb.a", "hermes.grb.x", "my.a")] == [
        "hermes",
        "nearby",
        "icecube",
        "alerts",
    ]


def test_a_pattern_takes_no_topic_for_tests() -> None:
    hermes = ConfiguredTopic("hermes.*", is_optional=True)
    taken = [
        name
        for name in ("hermes.a", "hermes.test", "hermes.a-Test", "hermes.test2", "hermes.latest", "other")
        if hermes.matches(name)
    ]
    assert taken == ["hermes.a", "hermes.latest"]
    assert ConfiguredTopic("hermes.test", is_optional=True).matches("hermes.test")


def test_without_settings_hopskotch_brings_the_alerts_and_the_streams() -> None:
    topics = configured().configured_hopskotch_topics
    assert entries(topics, optional=False) == ["igwn.gwalert"]
    assert entries(topics, optional=True) == [
        "gcn.circulars",
        "gcn.notices.icecube.lvk_nu_track_search",
        "gcn.notices.swift.bat.guano",
        "gcn.notices.boom.alert",
        "hermes.*",
    ]
    gcn = configured().configured_gcn_topics
    assert entries(gcn, optional=False) == ["igwn.gwalert"]
    assert "gcn.heartbeat" not in entries(gcn, optional=True) and configured().reads_gcn_heartbeat


@pytest.mark.parametrize("none", ["", " ", "off", "OFF"])
def test_extra_topics_can_be_switched_off(none: str) -> None:
    topics = configured(hopskotch_topics=none).configured_hopskotch_topics
    assert [topic.entry for topic in topics] == ["igwn.gwalert"]


def test_topics_in_the_url_bring_alerts_unless_a_mapping_says_otherwise() -> None:
    given = configured(
        kafka_url="kafka://h/ours,gcn.circulars,igwn.gwalert", hopskotch_topics="ours,x,gcn.circulars"
    )
    assert entries(given.configured_hopskotch_topics, optional=False) == ["ours", "igwn.gwalert"]
    assert entries(given.configured_hopskotch_topics, optional=True) == ["gcn.circulars", "x"]


def test_nearby_alerts_are_read_on_each_broker_if_asked_for() -> None:
    given = configured(nearby_topics="gcn.notices.svom.*", hopskotch_topics="", gcn_topics="igwn.gwalert")
    for topics in (given.configured_hopskotch_topics, given.configured_gcn_topics):
        assert entries(topics, optional=True) == ["gcn.notices.svom.*"]
    assert not given.reads_gcn_heartbeat


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hopskotch_topics", "*"),
        ("hopskotch_topics", "a*b"),
        ("hopskotch_topics", "a b"),
        ("gcn_topics", "a/b"),
        ("nearby_topics", "ü"),
        ("nearby_topics", "x" * 251),
        ("topic_streams", "gcn.circulars"),
        ("topic_streams", "gcn.circulars=letters"),
        ("topic_streams", "*=boom"),
    ],
)
def test_wrong_topics_are_a_sentence(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GWEVENT_{name.upper()}", value)
    with pytest.raises(
        SettingsError,
        match=f"^GWEVENT_{name.upper()} can't be used: each|^GWEVENT_TOPIC_STREAMS can't be used: ",
    ):
        Settings.load(None)


@settings(deadline=None)
@given(st.lists(NAMES), NAMES, st.sampled_from(STREAM_NAMES))
def test_each_topic_is_named_once_and_brings_what_its_mapping_says(
    names: list[str], mapped: str, stream: str
) -> None:
    named = parse_topics(",".join([*names, *names]))
    assert sorted(named) == sorted(set(names))
    assert parse_topic_streams(f"{mapped}={stream}").stream_of(mapped) == stream


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_topics_or_a_sentence(text: str) -> None:
    for parse in (parse_topics, parse_topic_streams):
        try:
            parse(text)
        except ValueError as error:
            assert "each" in str(error) or "stream" in str(error)
