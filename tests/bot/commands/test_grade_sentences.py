"""Which sentences ask for grades, and which words look as if they did."""

from __future__ import annotations

import pytest

from bot.commands.command_table import expand_plural
from bot.commands.topics import Topic
from bot.commands.understanding import read_question

COMMANDS = frozenset(
    [
        "criteria",
        "grades",
        "events",
        "latest",
        "visible",
        "check",
        "map",
        "history",
        "help",
        "subscriptions",
        "subscribe",
        "sites",
        "status",
    ]
)
SAFE = {word: word for word in COMMANDS - {"subscribe", "sites"}}


@pytest.mark.parametrize(
    ("question", "events"),
    [
        ("would we trigger", 0),
        ("would rubin trigger on", 1),
        ("did we trigger on", 1),
        ("should we trigger?", 0),
        ("is it gold", 0),
        ("why only silver", 0),
        ("why isn't it gold?", 0),
        ("what grade", 0),
        ("grade", 1),
        ("is it ours?", 0),
        ("is this event one of ours", 0),
        ("does it meet our criteria", 0),
        ("show me the criteria of", 1),
        ("would the last BBH trigger", 0),
        ("rubin-2026", 0),
    ],
)
def test_a_question_about_grades(question: str, events: int) -> None:
    reading = read_question(question, events, COMMANDS, SAFE)
    assert (reading.command, reading.corrected) == ("grades", None)


@pytest.mark.parametrize(
    ("question", "events", "command", "topic"),
    [
        ("trigger time of", 1, None, Topic.TIME),
        ("is there a GRB trigger near", 1, None, Topic.COINCIDENCE),
        ("fermi trigger", 1, None, Topic.COINCIDENCE),
        ("any gold events", 0, "events", None),
        ("how many gold events last week", 0, "events", None),
        ("BNS grade ntt-kilonova", 0, "events", None),
        ("can rubin see", 1, "visible", None),
        ("visible rubin", 0, "visible", None),
        ("what are our criteria", 0, "criteria", None),
        ("which criteria are there", 0, "criteria", None),
        ("show criteria", 0, "criteria", None),
        ("how do I add criteria", 0, "help", None),
        ("notify me if gold", 0, None, None),
        ("remove criteria ntt-kilonova", 0, None, None),
        ("please change our criteria", 0, None, None),
    ],
)
def test_what_only_looks_like_one(
    question: str, events: int, command: str | None, topic: Topic | None
) -> None:
    reading = read_question(question, events, COMMANDS, SAFE)
    assert (reading.command, reading.topic) == (command, topic)


@pytest.mark.parametrize(
    ("typed", "command", "arguments"),
    [
        ("", "criteria", ""),
        ("list", "criteria", ""),
        ("help", "help", "criteria"),
        ("show", "criteria show", ""),
        ("show rubin-2026", "criteria show", "rubin-2026"),
        ("rubin-2026", "criteria show", "rubin-2026"),
        ("ADD x Gold: NS\nSilver: BBH", "criteria change", "add x Gold: NS\nSilver: BBH"),
        ("new x\nGold: NS", "criteria change", "add x\nGold: NS"),
        ("delete x", "criteria change", "remove x"),
        ("replace x A: NS", "criteria change", "edit x A: NS"),
    ],
)
def test_the_words_after_criteria_choose_what_is_done(typed: str, command: str, arguments: str) -> None:
    for word in ("criteria", "criterion"):
        assert expand_plural(word, typed) == (command, arguments)
