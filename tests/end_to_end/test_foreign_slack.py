"""`gwevent doctor --live` against a Slack that nobody here wrote.

What emulate 0.12.2 lacks: Socket Mode, the header with a token's scopes, a broadcast's subtype, files that
aren't ready yet, the limits of blocks, rate limits. It reads arguments from the body alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from bot.demo.kafka_broker import EmbeddedBroker
from bot.doctor import live_slack
from bot.doctor.live_report import LiveReport
from bot.doctor.live_slack import try_slack
from bot.settings import Settings
from formatters.terminal.findings import Level
from tests.support.emulated_slack import TOKEN, EmulatedSlack, emulated_slack

pytestmark = [pytest.mark.process, pytest.mark.slow]

REPOSITORY = Path(__file__).resolve().parents[2]


async def assert_nothing_is_left(slack: EmulatedSlack) -> None:
    assert (await slack.call("conversations.history", channel=slack.channel))["messages"] == []
    assert (await slack.call("files.list"))["files"] == []


async def test_report_says_what_holds_and_what_a_foreign_slack_lacks(tmp_path: Path) -> None:
    record = tmp_path / "answers.jsonl"
    with EmbeddedBroker() as broker:
        broker.create_topic("igwn.gwalert")
        async with emulated_slack(tmp_path) as slack:
            known = {name: value for name, value in os.environ.items() if not name.startswith("GWEVENT_")}
            doctor = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "doctor", "--live", slack.channel, "--record", str(record)),
                cwd=tmp_path,
                env={
                    **known,
                    "PYTHONPATH": str(REPOSITORY),
                    "SLACK_BOT_TOKEN": TOKEN,
                    "SLACK_APP_TOKEN": "xapp-2-emulated-swordfish",
                    "GWEVENT_SLACK_API_URL": slack.api_url,
                    "GWEVENT_KAFKA_URL": broker.url("igwn.gwalert"),
                    "GWEVENT_KAFKA_AUTH": "off",
                    "GWEVENT_GRACEDB_URL": "off",
                    "GWEVENT_DATABASE_URL": f"sqlite:///{tmp_path / 'gwevent.sqlite'}",
                },
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, errors = (text.decode() for text in await doctor.communicate())
            await assert_nothing_is_left(slack)
    assert doctor.returncode == 1 and "Traceback" not in errors, errors
    lines = output.splitlines()
    marks = {line[2:].split("  ")[0]: line[0] for line in lines if line[:1] in ("✓", "!", "✗")}
    works = (
        *("token", "clock", "post", "edit", "reply", "card", "table", "code", "broadcast", "metadata"),
        *("permalink", "people", "only you see it", "picture", "clean-up"),
    )
    assert {name: marks[f"Live {name}"] for name in works} == dict.fromkeys(works, "✓"), output
    # What it lacks is said as what it is.
    assert f"There is no Socket Mode at {slack.api_url} (HTTP 404)." in output
    assert "Slack doesn't tell which scopes the token has" in output and "missing" not in output
    assert "the answer doesn't tell whether it stands in the channel too" in output
    assert "7 messages and 1 file deleted again." in output
    assert lines[-1] == "1 to fix."
    kept = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    methods = {one["method"] for one in kept}
    assert {"auth.test", "chat.postMessage", "files.getUploadURLExternal", "Hopskotch topics"} <= methods
    assert "swordfish" not in output + errors + record.read_text("utf-8")


async def test_scopes_that_are_missing_are_named_by_the_call_that_needs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_slack, "POST_INTERVAL_S", 0.01)
    report = LiveReport()
    async with emulated_slack(tmp_path, scopes=["chat:write"]) as slack:
        await try_slack(
            Settings.model_validate({"slack_bot_token": TOKEN, "slack_api_url": slack.api_url}),
            slack.channel,
            report,
        )
    found = {finding.name.removeprefix("Live "): finding for finding in report.findings}
    for step, scope in (
        ("metadata", "channels:history"),
        ("people", "channels:read"),
        ("picture", "files:write"),
    ):
        assert found[step].level is Level.WARN
        assert f"Add {scope} to the app's manifest" in found[step].advice, found[step]
    assert found["clean-up"].level is Level.OK
