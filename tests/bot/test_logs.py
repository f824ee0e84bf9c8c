"""Content of log lines, and limits of repeated warnings."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from bot import logs

TOKEN = "xoxb-1234-5678-abcDEF"
LINE = {
    TOKEN: "xoxb-",
    "xoxe.xoxb-1-Mi0yLTEw": "xoxe.",
    "xapp-1-A0-99-f00f": "xapp-",
    "Authorization: Bearer abc.def-123456": "abc.def",
    "https://hooks.slack.com/commands/T1/22/secret33": "secret33",
    "postgresql+psycopg://bot:sword%20fish@db/gwevent": "sword",
}


@pytest.fixture
def restored() -> Iterator[None]:
    """Restore pytest's logging at the end of the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = {name: logging.getLogger(name).level for name in logs.LIBRARIES}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in names.items():
        logging.getLogger(name).setLevel(was)
    structlog.reset_defaults()


@pytest.mark.parametrize("text", LINE)
def test_secrets_are_redacted(text: str) -> None:
    said = logs.redact(f"it's {text} and {text} !")
    assert LINE[text] not in said and said.count("(redacted)") == 2
    assert said.startswith("it's ") and said.endswith(" !")


@pytest.mark.parametrize(
    "text",
    [
        "kafka://kafka.scimma.org/igwn.gwalert",
        "sqlite+aiosqlite:////var/lib/gwevent.sqlite",
        "https://gracedb.ligo.org/superevents/S241126dm/view/ at 2026-11-26T17:50:45Z",
        "a Bearer of news, T0SANDBOX1 C0123",
    ],
)
def test_other_text_is_not_redacted(text: str) -> None:
    assert logs.redact(text) == text


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_no_bytes_no_payload_in_any_line(
    form: Literal["json", "console"], restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("DEBUG", form)
    ours, theirs = structlog.get_logger("bot.test"), logging.getLogger("other.library")
    ours.info("named", superevent_id="S241126dm", alert_type="UPDATE", token=TOKEN, body=b"SIMPLE  =" * 9)
    ours.info("long", text="SGVsbG8" * 9_000)
    theirs.debug("header %s", {"Authorization": f"Bearer {TOKEN}"})
    try:
        raise ValueError(f"refused {TOKEN}")
    except ValueError:
        ours.exception("broken")
        theirs.exception("broken too")
    said = capsys.readouterr().err
    assert "1234" not in said and "SIMPLE" not in said and "(81 bytes)" in said
    assert said.count("(redacted)") >= 4
    assert max(map(len, said.splitlines())) < 3_000 and "(63,000 characters)" in said
    if form == "json":
        lines = [json.loads(line) for line in said.splitlines()]
        assert lines[0]["event"] == "named" and lines[0]["superevent_id"] == "S241126dm"
        assert lines[0]["alert_type"] == "UPDATE" and lines[0]["level"] == "info"


class Lines(logging.Handler):
    """A handler that keeps the lines that pass its filter."""

    def __init__(self, repeats: logs.RepeatLimiter) -> None:
        super().__init__()
        self.said: list[Any] = []
        self.addFilter(repeats)

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.msg)


@pytest.fixture
def outage() -> Iterator[tuple[logging.Logger, Lines, list[float], logs.RepeatLimiter]]:
    now = [0.0]
    repeats = logs.RepeatLimiter(lambda: now[0])
    logger, lines = logging.getLogger("bot.outage"), Lines(repeats)
    logger.addHandler(lines)
    logger.setLevel("INFO")
    logger.propagate = False
    yield logger, lines, now, repeats
    logger.removeHandler(lines)


def entry(event: str, **fields: object) -> dict[str, object]:
    return {"event": event, **fields}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_repeated_warnings_are_logged_at_growing_intervals(
    seed: int, outage: tuple[logging.Logger, Lines, list[float], logs.RepeatLimiter]
) -> None:
    logger, lines, now, repeats = outage
    chance = random.Random(seed)
    names = [f"part_{number}_waits" for number in range(3)]
    came = Counter[str]()
    while now[0] < 3600:
        for name in names:
            # Each about another delivery, with another attempt and another time to wait.
            fields = {"channel": f"C{chance.randrange(99)}", "attempts": chance.randrange(9)}
            logger.warning(entry(name, reason=f"locked {chance.randrange(10**6)}", **fields))
            came[name] += 1
        now[0] += chance.uniform(0.2, 2.0)
    said = Counter(line["event"] for line in lines.said)
    assert set(said) == set(names) and max(said.values()) <= 16, said
    assert [line["event"] for line in lines.said[:3]] == names, "the first of each at once"
    for name in names:
        left_out = sum(line.get("left_out", 0) for line in lines.said if line["event"] == name)
        assert came[name] - 700 < left_out + said[name] <= came[name]
    assert repeats.pop_ended() == []
    now[0] += logs.ENDED_AFTER_S + 5
    over = repeats.pop_ended()
    assert {line["of"]: line["times"] for line in over} == came and repeats.pop_ended() == []
    logger.warning(entry(names[0], reason="locked 1"))
    assert lines.said[-1]["event"] == names[0] and "left_out" not in lines.said[-1], "the next is a new one"


@pytest.mark.slow
def test_warnings_with_different_words_are_all_logged(
    outage: tuple[logging.Logger, Lines, list[float], logs.RepeatLimiter],
) -> None:
    logger, lines, _, repeats = outage
    for what in ("store", "slack", "lag"):
        logger.error(entry("incident_opened", what=what, said="x"))
    for number in range(5):
        logger.warning(entry("payload_quarantined", origin=f"igwn.gwalert[0]@{number}", reason="no id"))
        logger.info(entry("notice_stored", origin="x"))
    for error in (ValueError("x"), KeyError("x")):
        logger.error(entry("broken", exc_info=error))
        logger.error(entry("broken", exc_info=error))
    assert len(lines.said) == 3 + 10 + 2
    for number in range(3 * logs.MAX_KINDS):
        logger.warning(entry("odd", word=f"x{number}"))
    assert len(repeats._warning_kinds) <= logs.MAX_KINDS


def test_a_librarys_lines_are_limited_too(
    outage: tuple[logging.Logger, Lines, list[float], logs.RepeatLimiter],
) -> None:
    logger, lines, now, _ = outage
    for number in range(5):
        logger.warning("connection %s lost", number)
    now[0] = 2.0
    logger.warning("connection %s lost", 5)
    assert lines.said == ["connection %s lost", "connection 5 lost (4 more like this left out)"]
