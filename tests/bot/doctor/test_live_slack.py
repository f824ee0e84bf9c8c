"""`gwevent doctor --live` against the local Slack: everything is tried, and nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.doctor import live_slack
from bot.doctor.live_report import LiveReport, to_json_lines, without_secrets
from bot.doctor.live_slack import try_slack
from bot.local_slack.server import LocalSlack
from formatters.terminal.findings import Level
from tests.bot.doctor.test_checks import settings

GOLDEN = Path(__file__).parents[2] / "formatters" / "golden"
STEPS = {
    "Live token",
    "Live scopes",
    "Live clock",
    "Live post",
    "Live edit",
    "Live reply",
    "Live card",
    "Live table",
    "Live code",
    "Live broadcast",
    "Live metadata",
    "Live permalink",
    "Live people",
    "Live only you see it",
    "Live picture",
    "Live clean-up",
}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_slack, "POST_INTERVAL_S", 0.01)
    monkeypatch.setattr(live_slack, "FILE_WAITS_S", (0.2,) * 20)


async def live(local_slack: LocalSlack, channel: str, database: Path) -> LiveReport:
    report = LiveReport()
    await try_slack(settings(local_slack, database), channel, report)
    return report


def levels(report: LiveReport) -> dict[str, Level]:
    return {finding.name: finding.level for finding in report.findings}


async def test_sound_workspace_passes_every_step_and_keeps_nothing(
    local_slack: LocalSlack, database_path: Path
) -> None:
    local_slack.grant("channels:history")
    channel = local_slack.add_channel("gw")
    report = await live(local_slack, channel, database_path)
    assert levels(report) == dict.fromkeys(STEPS, Level.OK), report.findings
    assert local_slack.messages(channel) == []
    text = to_json_lines(report)
    methods = {json.loads(line)["method"] for line in text.splitlines()}
    assert {"auth.test", "chat.postMessage", "chat.update", "chat.delete", "files.delete"} <= methods
    assert local_slack.bot_token not in text and "upload_url" not in text.replace(
        '"upload_url": "(redacted)"', ""
    )


def kinds(value: object) -> set[str]:
    """Return the `type` of each block, element and text in a message."""
    match value:
        case dict():
            own = {value["type"]} if isinstance(value.get("type"), str) else set()
            return own.union(*map(kinds, value.values()))
        case list():
            return set().union(*map(kinds, value))
        case _:
            return set()


async def test_every_kind_of_block_that_a_message_has_is_tried(
    local_slack: LocalSlack, database_path: Path
) -> None:
    report = await live(local_slack, local_slack.add_channel("gw"), database_path)
    used: set[str] = set()
    for path in GOLDEN.rglob("*.json"):
        message = json.loads(path.read_text("utf-8"))
        # Forms and the home tab are no messages: a view has a type.
        if isinstance(message, dict) and "type" not in message:
            used |= kinds(message.get("blocks", []))
    tried = kinds([one["answer"].get("message", {}).get("blocks", []) for one in report.answers])
    assert used and used <= tried


async def test_a_refusal_names_the_call_and_what_to_do(local_slack: LocalSlack, database_path: Path) -> None:
    local_slack.ungrant("files:write")
    local_slack.fail("conversations.replies", error="an_error_nobody_listed", times=None)
    report = await live(local_slack, local_slack.add_channel("gw"), database_path)
    found = {finding.name: finding for finding in report.findings}
    picture, metadata = found["Live picture"], found["Live metadata"]
    assert picture.result == "Slack's answer to files.getUploadURLExternal: missing_scope."
    assert "without their picture" in picture.advice and "Add files:write to" in picture.advice
    assert metadata.result == "Slack's answer to conversations.replies: an_error_nobody_listed."
    assert "file an issue" in metadata.advice


@pytest.mark.slow
async def test_a_rate_limit_is_waited_for(local_slack: LocalSlack, database_path: Path) -> None:
    local_slack.grant("channels:history")
    channel = local_slack.add_channel("gw")
    for method in ("chat.postMessage", "chat.update", "chat.delete"):
        local_slack.fail(method, error="ratelimited", retry_after=1, times=1)
    report = await live(local_slack, channel, database_path)
    assert levels(report) == dict.fromkeys(STEPS, Level.OK), report.findings
    assert local_slack.messages(channel) == []


async def test_a_post_whose_answer_is_lost_is_found_and_deleted(
    local_slack: LocalSlack, database_path: Path
) -> None:
    local_slack.grant("channels:history")
    channel = local_slack.add_channel("gw")
    local_slack.fail("chat.postMessage", drop="after", times=1)
    report = await live(local_slack, channel, database_path)
    assert levels(report)["Live post"] is Level.FAIL and levels(report)["Live clean-up"] is Level.OK
    assert local_slack.messages(channel) == []


async def test_missing_optional_scopes_are_warnings(local_slack: LocalSlack, database_path: Path) -> None:
    local_slack.ungrant("files:write")
    channel = local_slack.add_channel("gw")
    found = levels(await live(local_slack, channel, database_path))
    assert found["Live picture"] is Level.WARN and found["Live metadata"] is Level.WARN
    assert found["Live post"] is Level.OK and found["Live clean-up"] is Level.OK
    assert local_slack.messages(channel) == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update", "conversations.members", "auth.test"])
@pytest.mark.parametrize("error", ["invalid_blocks", "an_error_nobody_listed", "token_revoked"])
async def test_any_refusal_is_a_finding_and_nothing_is_left(
    local_slack: LocalSlack, database_path: Path, method: str, error: str
) -> None:
    channel = local_slack.add_channel("gw")
    local_slack.fail(method, error=error, times=None)
    report = await live(local_slack, channel, database_path)
    assert any(finding.level is not Level.OK for finding in report.findings)
    assert local_slack.messages(channel) == []


async def test_messages_that_cannot_be_deleted_are_reported(
    local_slack: LocalSlack, database_path: Path
) -> None:
    channel = local_slack.add_channel("gw")
    local_slack.fail("chat.delete", error="cant_delete_message", times=1)
    report = await live(local_slack, channel, database_path)
    assert levels(report)["Live clean-up"] is Level.FAIL
    assert local_slack.messages(channel)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=20,
)


@given(json_values, st.sampled_from(["xoxb-1-2-swordfish", "xapp-1-A-2-swordfish"]))
def test_recorded_answers_hold_no_token_wherever_it_stands(value: object, token: str) -> None:
    for nested in (
        {"bot": token, "x": value},
        [value, f"see {token}"],
        {"deep": [{"upload_url": "swordfish"}]},
    ):
        assert "swordfish" not in json.dumps(without_secrets(nested))
