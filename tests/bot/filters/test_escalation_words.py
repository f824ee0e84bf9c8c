"""Escalations: a phone's spellings are read as the same steps, and nothing mistyped as something else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError, parse_criteria, parse_stored_criteria
from formatters.models.escalation import EscalationStep
from formatters.models.filter import Compare
from formatters.models.subscription import MentionRule
from tests.support.filter_strategies import any_escalation

SECOND = "<@U2>"
PLAIN = "all notify @here if NS escalate 5min <@U2> 10min webhook"


def rule_of(words: str) -> MentionRule:
    notify = parse_criteria(words).notify
    assert notify is not None
    return notify


def sentence_of(words: str) -> str:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    return str(refused.value)


def test_steps_count_from_the_first_mention() -> None:
    assert rule_of(
        "CBC notify @here escalate 5min <@U2> <!subteam^S1|@on call> 10min webhook"
    ).escalation == (
        EscalationStep(after=timedelta(minutes=5), targets=("<@U2>", "<!subteam^S1>")),
        EscalationStep(after=timedelta(minutes=10), webhook=True),
    )


@pytest.mark.parametrize(
    "words",
    [
        "notify @here if NS escalate 5min <@U2> 10min webhook",
        "notify @here escalate 5min <@U2> 10min webhook if NS",
        "notify @here if NS, escalate 5 min <@U2|Ada>, 10 min webhook.",
        "notify @here if NS then escalate to <@U2> after 5 minutes, then to the webhook after 10 minutes",
        "Notify @here if NS Escalate: 5 Min: <@U2> → 10 Min: Webhook",
        "notify @here if NS and escalate after 5 mins mention <@U2>; at 10m call the operators\u2019 webhook",
        "notify @here if NS escalate 5\u2013min <@U2> \u2014 10\u2013min web-hook",
        "notify @here if NS escalate after 5min:<@U2>. Then after 10min webhook!",
        "and notify @here if NS, then escalate to <@U2> after 5 min, webhook after 10 min please",
        "notify @here if NS escalate 5min<@U2>10min webhook",
        "notify @here if NS escalation 5m <@U2> <@U2> and 10m webhook",
        "notify @here if NS escalate 05min <@U2> 600 s webhook",
    ],
)
def test_spellings_of_a_phone_are_the_same_steps(words: str) -> None:
    assert parse_criteria(words).canonical == PLAIN


@pytest.mark.parametrize(
    ("time", "minutes"),
    [
        ("1h", 60),
        ("1 hour", 60),
        ("1.5 h", 90),
        ("1h30", 90),
        ("1h30min", 90),
        ("1 h 30 min", 90),
        ("1 hour and 30 minutes", 90),
        ("12 hrs", 720),
        ("1 minute", 1),
        ("90 min", 90),
        ("５min", 5),
    ],
)
def test_times_in_hours_and_minutes(time: str, minutes: int) -> None:
    [step] = rule_of(f"notify @here escalate {time} <@U2>").escalation
    assert step == EscalationStep(after=timedelta(minutes=minutes), targets=("<@U2>",))


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ("<@U2>", "needs a time before whom it mentions next"),
        ("<@U2> 5min", "isn't clear: write it before"),
        ("<@U2> after 5min <@U3>", "has no time"),
        ("5min", '"5min" has nobody after it'),
        ("5min <@U2> 10min", '"10min" has nobody after it'),
        ("after 5min if NS", '"5min" has nobody after it'),
        ("", "needs a time and somebody after it"),
        ("five minutes <@U2>", "write the time in digits"),
        ("half an hour <@U2>", "write the time in digits"),
        ("5 <@U2>", '"5" needs a unit: 5min'),
        ("5,10 min <@U2>", '"5,10" is no time of a step'),
        ("1,5h <@U2>", '"1,5h" is no time of a step'),
        ("5-10min <@U2>", '"5-10min" is no time of a step'),
        ("5minuts <@U2>", '"5minuts" is no time of a step'),
        ("0min <@U2>", "1min to 12h after the first mention"),
        ("30s <@U2>", "1min to 12h after the first mention"),
        ("12h1min <@U2>", "1min to 12h after the first mention"),
        ("999999 days <@U2>", "1min to 12h after the first mention"),
        ("90s <@U2>", "isn't a whole number of minutes"),
        ("5min <@U2> 5min webhook", '"5min" isn\'t later than "5min": all times count from the first'),
        ("10min <@U2> 5min webhook", '"5min" isn\'t later than "10min"'),
        ("5min <@U2> 5 minutes later webhook", "when each step comes after the first mention"),
        ("5min <@U2> +5min webhook", "when each step comes after the first mention"),
        ("every 5min <@U2>", "when each step comes after the first mention"),
        ("5min webhook 10min <@U2>", '"webhook" stands alone, as the last step'),
        ("5min <@U2> webhook", '"webhook" stands alone, as the last step'),
        ("5min <@U2> 10min pagerduty", 'write "webhook" for the operators\' webhook'),
        ("5min <@U2> mock", "can't be mentioned"),
        ("5min bob <@U2>", '"bob" can\'t be mentioned'),
        ("soon <@U2>", '"soon" is no time: a time is missing before the next person or group'),
        ("soon webhook", '"soon" is no time: a time is missing before webhook'),
        ("soon @b", '"soon" is no time: a time is missing before @b'),
        ("soon", '"soon" is no time: a time is missing, and who is mentioned then'),
        ("soon bob", '"soon" is no time: a time is missing, and who is mentioned then'),
        ("bob after 5min", '"bob" can\'t be mentioned'),
        ("soon @here", '"soon" is no time: a time is missing before @here'),
        ("immediately to <!subteam^S1|@second> 5min", "a time is missing before the next"),
        ("5min <@U2> soon <@U3>", "is a time missing before the next person or group?"),
        ("5min <@U2> notify-mocks", 'belongs before "escalate"'),
        ("5min @second", 'Slack didn\'t say who "@second" is'),
        ("5min <@U2> escalate 10min <@U3>", "stands there twice"),
        (" ".join(f"{n}min <@U{n}>" for n in range(1, 7)), "at most 5 steps, and these are 6"),
        ("5min " + " ".join(f"<@U{n}>" for n in range(11)), "at most 10: make it a user group"),
    ],
)
def test_what_is_unclear_is_asked(steps: str, sentence: str) -> None:
    assert sentence in sentence_of(f"notify @here escalate {steps}")


@settings(deadline=None, max_examples=200)
@given(
    st.text("abcdefghijklmnopqrstuvwxyzäß'/", min_size=2, max_size=12),
    st.sampled_from(["<@U2>", "<!subteam^S1|@b>", "@here", "webhook", "@b", "@second.shift", ""]),
)
def test_any_word_where_a_time_is_missing_is_no_person_that_cant_be_mentioned(word: str, whom: str) -> None:
    try:
        rule = rule_of(f"notify <@U1> escalate {word} {whom}")
    except FilterSyntaxError as refused:
        assert "can't be mentioned" not in str(refused) or "did you mean" in str(refused), word
        return
    raise AssertionError(f"{word} is a time: {rule}")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("CBC escalate 5min <@U2>", "needs somebody to mention first"),
        ("CBC notify @here 5min <@U2>", 'stands after "escalate"'),
        ("CBC notify @here then <@U2>", 'stands after "escalate"'),
        ("CBC notify @here webhook", "as the last step, after a time"),
        ("CBC notify @here escelate 5min <@U2>", 'did you mean "escalate"?'),
        ("CBC notify @here if NS esclate 5min <@U2>", 'did you mean "escalate"?'),
        ("CBC notify escalate 5min <@U2>", '"notify" needs somebody to mention'),
    ],
)
def test_steps_at_a_wrong_place_are_told_theirs(words: str, sentence: str) -> None:
    assert sentence in sentence_of(words)


def test_a_comma_after_ns_changes_nothing() -> None:
    """ "if NS," would be a condition on NS instead of whether light may be expected."""
    assert rule_of("notify @here if NS, escalate 5min <@U2>").only_ns
    condition = rule_of("notify @here if NS>0.9, escalate 5min <@U2>").condition
    assert isinstance(condition, Compare) and condition.value == 0.9


def test_a_name_in_a_condition_begins_no_steps() -> None:
    for condition in ("pipeline=escalate", "grade escalate", 'visible from "Mount Escalate escalate"'):
        assert rule_of(f"notify @here if {condition}").escalation == ()
        assert len(rule_of(f"notify @here if {condition} escalate 5min <@U2>").escalation) == 1


@settings(deadline=None)
@given(any_escalation(), st.sampled_from([" if NS", " if BNS>0.9"]))
def test_steps_are_read_as_they_are_written(steps: tuple[EscalationStep, ...], condition: str) -> None:
    rule = MentionRule(targets=("<!here>",), escalation=steps)
    assert rule_of(f"all {rule.canonical}") == rule
    assert parse_stored_criteria(f"all {rule.canonical}").notify == rule
    # Before "if" as well, as people think of it.
    conditional = rule_of(f"all {rule.canonical}{condition}")
    assert conditional.escalation == steps
    assert conditional == rule_of(f"all {conditional.canonical}")


PIECES = ["5min", "5", "min", "10 min", "1h", "<@U2>", "@here", "webhook", "then", "after", "and", "if", "NS"]
PIECES += [",", "+", "-", "later", "escalate", "mock", "notify", "the", "m", "0", "1.5", "13h"]


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(PIECES), max_size=10))
def test_any_words_are_steps_or_a_short_sentence(pieces: list[str]) -> None:
    """What is taken has every time, person and webhook that was typed, each once and in its order."""
    words = " ".join(pieces)
    try:
        rule = rule_of(f"notify <@U1> escalate {words}")
    except FilterSyntaxError as refused:
        assert len(str(refused)) < 150
        return
    assert parse_criteria(f"all {rule.canonical}").notify == rule
    assert rule.escalation
    typed = words.partition(" if ")[0].replace(",", " ").split()
    assert sum(len(step.targets) for step in rule.escalation) <= typed.count("<@U2>") + typed.count("@here")
    assert sum(step.webhook for step in rule.escalation) == typed.count("webhook")


WRITTEN = "escalate 5min <@U2> 10min webhook"


@st.composite
def slips(draw: st.DrawFn) -> str:
    """Return WRITTEN with one slip of the fingers outside of numbers and mentions."""
    at = draw(
        st.sampled_from([n for n, c in enumerate(WRITTEN) if not c.isdigit() and n not in range(14, 19)])
    )
    typed = draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz ,.;-"))
    how = draw(st.sampled_from(["left out", "twice", "another", "one more", "swapped"]))
    before, letter, after = WRITTEN[:at], WRITTEN[at], WRITTEN[at + 1 :]
    return {
        "left out": before + after,
        "twice": before + letter + letter + after,
        "another": before + typed + after,
        "one more": before + typed + letter + after,
        "swapped": before + after[:1] + letter + after[1:],
    }[how]


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(slips())
def test_a_slip_of_the_fingers_is_asked_or_means_the_same(typed: str) -> None:
    meant = rule_of(f"notify @here {WRITTEN}")
    try:
        assert rule_of(f"notify @here {typed}") == meant
    except FilterSyntaxError as refused:
        assert len(str(refused)) < 150
