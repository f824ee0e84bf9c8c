"""What a log line may hold."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Literal

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
    """Logging as pytest has it, put back at the end."""
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
def test_what_looks_like_a_secret_is_redacted(text: str) -> None:
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
def test_what_is_no_secret_stays(text: str) -> None:
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
