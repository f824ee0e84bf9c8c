"""The words of a subscription."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import MOST_TARGETS, UnknownWord, admits_category, matches, mentioned, parse
from formatters.notice import Category
from formatters.subscription import Notify, Wish
from formatters.superevent import Superevent
from tests.bot.house import MOCK, REAL, TEST, made

targets = st.sampled_from(["<!here>", "<!channel>", "<@U024BE7LH>", "<@W1>", "<!subteam^S0AB1>", "<@U2>"])


@st.composite
def any_wish(draw: st.DrawFn) -> Wish:
    wish = draw(
        st.builds(
            Wish,
            group=st.sampled_from(["CBC", "Burst", "all"]),
            mock=st.booleans(),
            test=st.booleans(),
            lowsig=st.booleans(),
        )
    )
    if not draw(st.booleans()):
        return wish
    notify = Notify(
        targets=tuple(draw(st.lists(targets, min_size=1, unique=True))),
        mock=wish.mock and draw(st.booleans()),
        test=wish.test and draw(st.booleans()),
        only_ns=draw(st.booleans()),
    )
    return replace(wish, notify=notify)


wishes = any_wish()


@given(wishes)
def test_a_wish_reads_as_it_is_written(wish: Wish) -> None:
    assert parse(wish.words) == wish


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("", "all"),
        ("   ", "all"),
        ("cbc", "CBC"),
        ("BURST", "Burst"),
        ("mock CBC", "CBC mock"),
        ("Mocks, tests", "all mock test"),
        ("LowSig burst", "Burst lowsig"),
        ("low-significance", "all lowsig"),
        ("cbc CBC mock mock", "CBC mock"),
        ("cbc notify @here", "CBC notify @here"),
        ("CBC NOTIFY @Here IF ns", "CBC notify @here if NS"),
        ("notify <!channel> <!here|here> <!here>", "all notify @channel @here"),
        (
            "CBC notify <@U024BE7LH|ada>, <!subteam^S0AB1|@on call>",
            "CBC notify <@U024BE7LH> <!subteam^S0AB1>",
        ),
        ("mock notify @here notify-mock if NS", "all mock notify @here notify-mocks if NS"),
        ("test mock notify notify-tests @here", "all mock test notify @here notify-tests"),
    ],
)
def test_order_and_case_dont_matter(words: str, canonical: str) -> None:
    assert parse(words).words == canonical


@pytest.mark.parametrize("words", ["bns", "CBC mok", "' OR 1=1 --", "*", "<!channel>", "🛰", "CBC|Burst"])
def test_unknown_words_get_a_sentence_with_the_word(words: str) -> None:
    with pytest.raises(UnknownWord, match="none of CBC, Burst, all, mock, test, lowsig"):
        parse(words)


def test_two_groups_get_a_sentence() -> None:
    with pytest.raises(UnknownWord, match='"CBC" and "Burst" together'):
        parse("cbc burst")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("CBC notify", '"notify" needs somebody to mention: @here, @channel, a person or a group.'),
        ("CBC notify if NS", '"notify" needs somebody to mention: @here, @channel, a person or a group.'),
        ("CBC notify @here if", '"if" knows one condition and ends with it: if NS.'),
        ("CBC notify @here if BNS", '"if" knows one condition and ends with it: if NS.'),
        ("CBC notify @here if NS mock", '"if" knows one condition and ends with it: if NS.'),
        ("CBC notify here", '"here" can\'t be mentioned: @here, @channel, a person or a group.'),
        (
            "CBC notify <!everyone>",
            '"<!everyone>" can\'t be mentioned: @here, @channel, a person or a group.',
        ),
        (
            "CBC notify @ada",
            'Slack didn\'t say who "@ada" is: pick the name from its list while typing.',
        ),
        ("CBC notify @here mock", '"mock" is nobody to mention: write it before "notify".'),
        ("CBC notify @here notify-mocks", '"notify-mocks" needs "mock" before "notify".'),
        ("CBC notify-mocks", '"notify-mocks" is none of CBC, Burst, all, mock, test, lowsig, notify.'),
        (
            "notify " + " ".join(f"<@U{n}>" for n in range(MOST_TARGETS + 1)),
            '"notify" mentions at most 10: make it a user group.',
        ),
    ],
)
def test_what_cant_be_mentioned_gets_a_sentence(words: str, sentence: str) -> None:
    with pytest.raises(UnknownWord) as refused:
        parse(words)
    assert str(refused.value) == sentence


NO_NS = {"classification": {"BNS": 0.0, "NSBH": 0.3, "BBH": 0.6, "Terrestrial": 0.1}, "properties": {}}


@pytest.mark.parametrize(
    ("facts", "light"),
    [
        (NO_NS, False),
        (NO_NS | {"classification": {"BNS": 0.15, "NSBH": 0.16}}, True),
        (NO_NS | {"classification": {"Terrestrial": 0.5}, "properties": {"HasRemnant": 0.2}}, False),
        (NO_NS | {"classification": {"Terrestrial": 0.5}, "properties": {"HasRemnant": 0.21}}, True),
        (NO_NS | {"classification": {}, "properties": {"HasRemnant": 0.11}}, True),
        (NO_NS | {"classification": {}, "search": "SSM"}, True),
        ({"group": "Burst", "classification": {}, "properties": {}}, False),
    ],
)
def test_if_ns_is_light_to_be_expected(facts: dict[str, Any], light: bool) -> None:
    superevent = Superevent.of([made(**facts)])
    assert mentioned(parse("all notify @here"), superevent) == ("<!here>",)
    assert bool(mentioned(parse("all notify @here if NS"), superevent)) is light


@pytest.mark.parametrize(
    ("superevent_id", "words", "whom"),
    [
        (REAL, "CBC", 0),
        (REAL, "Burst notify @here", 0),
        (REAL, "CBC notify @here @channel", 2),
        (MOCK, "CBC mock notify @here", 0),
        (MOCK, "CBC mock notify @here notify-mocks", 1),
        (MOCK, "CBC mock test notify @here notify-tests", 0),
        (TEST, "CBC test notify @here", 0),
        (TEST, "CBC test notify @here notify-tests", 1),
    ],
)
def test_mocks_and_tests_mention_only_by_a_word_of_their_own(
    superevent_id: str, words: str, whom: int
) -> None:
    assert len(mentioned(parse(words), Superevent.of([made(superevent_id)]))) == whom


def test_what_is_retracted_mentions_nobody() -> None:
    gone = Superevent.of([made(), made(alert_type="RETRACTION", minutes=5)])
    assert mentioned(parse("all notify @here"), gone) == ()


@given(st.text(max_size=300))
def test_whatever_is_typed_is_read_or_refused_in_a_short_sentence(words: str) -> None:
    try:
        assert parse(parse(words).words) == parse(words)
    except UnknownWord as refused:
        assert len(str(refused)) < 150


@pytest.mark.parametrize("words", ["all", "all mock", "all test", "all mock test lowsig"])
def test_mocks_and_tests_only_where_asked_for(words: str) -> None:
    wish = parse(words)
    assert admits_category(wish, Category.REAL)
    assert admits_category(wish, Category.MOCK) is ("mock" in words)
    assert admits_category(wish, Category.TEST) is ("test" in words)


GROUPS = ("CBC", "Burst", "NewGroup")


@pytest.mark.parametrize("superevent_id", [REAL, MOCK, TEST])
@pytest.mark.parametrize("significant", [True, False])
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("asked", ["CBC", "Burst", "all"])
@pytest.mark.parametrize("switches", ["", "mock", "test", "lowsig", "mock lowsig", "mock test lowsig"])
def test_every_switch_and_group(
    superevent_id: str, significant: bool, group: str, asked: str, switches: str
) -> None:
    superevent = Superevent.of([made(superevent_id, group=group, significant=significant)])
    expected = (
        asked in ("all", group)
        and (superevent_id != MOCK or "mock" in switches)
        and (superevent_id != TEST or "test" in switches)
        and (significant or "lowsig" in switches)
    )
    assert matches(parse(f"{asked} {switches}"), superevent) is expected


def test_the_newest_event_decides_and_a_retraction_keeps_what_it_withdraws() -> None:
    became = [made(significant=False), made(minutes=5, significant=True)]
    assert matches(parse("CBC"), Superevent.of(became))
    assert not matches(parse("CBC"), Superevent.of(became[:1]))
    assert matches(parse("CBC"), Superevent.of([*became, made(alert_type="RETRACTION", minutes=9)]))


def test_of_a_retraction_alone_nothing_is_known() -> None:
    assert not matches(parse("all mock test lowsig"), Superevent.of([made(alert_type="RETRACTION")]))
