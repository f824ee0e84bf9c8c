"""`gwevent doctor --live` against what Slack's documentation says of each call, and against what is no Slack.

For each method: the fields that its page (docs.slack.dev/reference/methods) promises, no others; its errors.
The ways in which every method may fail (docs.slack.dev/apis/web-api/errors) are tried with one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.doctor import live_slack
from bot.doctor.live_report import LiveReport, to_json_lines
from bot.doctor.live_slack import try_slack
from bot.settings import Settings
from formatters.terminal.findings import Finding, Level

pytestmark = pytest.mark.slow

SCOPES = "app_mentions:read,channels:history,channels:read,chat:write,commands,files:write"
BLOCKS = ("invalid_blocks", "invalid_blocks_format")
METADATA = (
    *("invalid_metadata_format", "invalid_metadata_schema", "metadata_must_be_sent_from_app"),
    "metadata_too_large",
)
CHANNEL = ("channel_not_found", "is_archived", "not_in_channel", "restricted_action")
DOCUMENTED_ERRORS = {
    "auth.test": ("internal_error", "invalid_auth", "not_authed"),
    "chat.postMessage": (
        *(*CHANNEL, *BLOCKS, *METADATA, "ekm_access_denied", "message_limit_exceeded"),
        *("messages_tab_disabled", "msg_blocks_too_long", "no_text", "rate_limited", "team_not_found"),
        *("restricted_action_non_threadable_channel", "restricted_action_read_only_channel"),
        *("restricted_action_thread_locked", "restricted_action_thread_only_channel"),
        *("slack_connect_file_link_sharing_blocked", "cannot_reply_to_message", "missing_file_data"),
    ),
    "chat.update": (
        *(*BLOCKS, *METADATA, "block_mismatch", "cant_broadcast_message", "cant_update_message"),
        *("channel_not_found", "edit_window_closed", "external_channel_migrating", "is_inactive"),
        *("message_not_found", "msg_too_long", "no_text", "slack_connect_file_link_sharing_blocked"),
        *("team_not_found", "update_failed", "streaming_state_conflict"),
    ),
    "chat.postEphemeral": (*CHANNEL, *BLOCKS, "message_limit_exceeded", "user_not_in_channel"),
    "chat.getPermalink": ("channel_not_found", "message_not_found"),
    "chat.delete": ("cant_delete_message", "channel_not_found", "message_not_found"),
    "conversations.members": ("channel_not_found", "fetch_members_failed", "missing_scope"),
    "conversations.replies": ("channel_not_found", "invalid_cursor", "missing_scope", "thread_not_found"),
    "files.getUploadURLExternal": (
        *("file_upload_size_restricted", "file_uploads_disabled", "missing_argument"),
        "storage_limit_reached",
    ),
    "files.completeUploadExternal": ("access_denied", "file_not_found", "file_update_failed"),
    "files.delete": ("cant_delete_file", "delete_not_allowed", "file_deleted", "file_deleting_disabled"),
}


@dataclass
class DocumentedSlack:
    """Answers as the pages promise: nothing but the required fields. One method may be made to fail."""

    failing: str = ""
    error: str = ""
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        if request.content_type == "application/json":
            body: dict[str, Any] = await request.json()
        else:
            body = dict(await request.post())
        if method == self.failing:
            return web.json_response({"ok": False, "error": self.error})
        found = self._answer(method, body, str(request.url.origin()))
        return web.json_response({"ok": True, **found}, headers={"x-oauth-scopes": SCOPES})

    def _answer(self, method: str, body: dict[str, Any], origin: str) -> dict[str, Any]:
        match method:
            case "auth.test":
                return {"team": "T", "user": "bot", "team_id": "T1", "user_id": "U1", "bot_id": "B1"}
            case "chat.postMessage":
                ts = f"{1_800_000_000 + len(self.messages)}.000001"
                self.messages[ts] = {"type": "message", "ts": ts, "metadata": body.get("metadata")}
                return {"channel": body["channel"], "ts": ts}
            case "chat.update":
                told = {"text": body["text"]}
                return {"channel": body["channel"], "ts": body["ts"], **told, "message": told}
            case "chat.postEphemeral":
                return {"message_ts": "1800000000.000009"}
            case "chat.getPermalink":
                return {"channel": body["channel"], "permalink": "https://t.slack.com/archives/C1/p1"}
            case "chat.delete":
                del self.messages[body["ts"]]
                return {"channel": body["channel"], "ts": body["ts"]}
            case "conversations.members":
                return {"members": ["U1", "U2"]}
            case "conversations.replies":
                return {"messages": list(self.messages.values())}
            case "files.getUploadURLExternal":
                self.files.add("F123ABC456")
                return {"upload_url": f"{origin}/upload", "file_id": "F123ABC456"}
            case "files.completeUploadExternal":
                given = body["files"]
                files = json.loads(given) if isinstance(given, str) else given
                return {"files": [{"id": one["id"]} for one in files]}
            case "files.delete":
                self.files.remove(body["file"])
                return {}
        raise AssertionError(f"{method} isn't among the documented calls")


@asynccontextmanager
async def slack_at(app: web.Application) -> AsyncIterator[Settings]:
    async with TestServer(app) as server:
        api_url = str(server.make_url("/api/"))
        yield Settings.model_validate({"slack_bot_token": "xoxb-2-swordfish", "slack_api_url": api_url})


async def run(slack: DocumentedSlack) -> dict[str, Finding]:
    async def upload(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="OK - 100")

    app = web.Application()
    app.router.add_post("/api/{method}", slack.answer)
    app.router.add_post("/upload", upload)
    report = LiveReport()
    async with slack_at(app) as settings:
        await try_slack(settings, "C1", report)
    assert "swordfish" not in to_json_lines(report)
    return {finding.name.removeprefix("Live "): finding for finding in report.findings}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_slack, "POST_INTERVAL_S", 0.0)
    monkeypatch.setattr(live_slack, "FILE_WAITS_S", (0.01,) * 3)
    monkeypatch.setattr(live_slack, "MAX_RATE_LIMIT_S", 0.0)


async def test_promised_fields_are_enough() -> None:
    slack = DocumentedSlack()
    found = await run(slack)
    # The page's time of a message is an example's: the clock is far off.
    bad = {name for name, finding in found.items() if finding.level is not Level.OK}
    assert bad == {"clock"}, found
    assert slack.messages == {} and slack.files == set()


@pytest.mark.parametrize("method", DOCUMENTED_ERRORS)
async def test_each_documented_error_is_a_finding_that_names_it(method: str) -> None:
    for error in DOCUMENTED_ERRORS[method]:
        slack = DocumentedSlack(method, error)
        found = await run(slack)
        harmless = {("chat.delete", "message_not_found"), ("files.delete", "file_deleted")}
        bad = [one for name, one in found.items() if one.level is not Level.OK and name != "clock"]
        if (method, error) in harmless:
            assert bad == [], error
            continue
        assert bad, error
        assert all(finding.advice for finding in bad), bad
        if method.endswith("delete"):
            assert found["clean-up"].level is Level.FAIL
            continue
        told = " ".join(finding.result for finding in bad)
        named = "is_archived" if error == "is_inactive" else error
        assert named in told or method == "chat.getPermalink", (error, bad)
        assert slack.messages == {} and slack.files <= {"F123ABC456"}
        assert not slack.files or method == "files.completeUploadExternal"


PORTAL = "<html><head><title>Sign in to the hotel's network</title></head></html>"


@pytest.mark.parametrize(
    ("status", "content_type", "text"),
    [
        (200, "text/html", PORTAL),
        (200, "application/json", PORTAL),
        (200, "text/plain", "It works!"),
        (200, "application/json", "[]"),
        (200, "application/json", "{}"),
        (200, "application/json", json.dumps({"ok": True})),
        (404, "application/json", json.dumps({"message": "Not Found"})),
        (407, "text/html", PORTAL),
        (502, "text/html", PORTAL),
        (429, "text/html", PORTAL),
        (200, "application/json", json.dumps({"ok": False, "error": "unknown_method"})),
        (200, "application/json", json.dumps({"ok": False, "error": {"code": 7}})),
    ],
)
async def test_what_is_no_slack_is_one_finding_with_what_to_do(
    status: int, content_type: str, text: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, content_type=content_type, text=text)

    app = web.Application()
    app.router.add_post("/api/{method}", answer)
    report = LiveReport()
    async with slack_at(app) as settings:
        await try_slack(settings, "C1", report)
    (found,) = report.findings
    assert found.level is Level.FAIL and "auth.test" in found.result and found.advice, found
