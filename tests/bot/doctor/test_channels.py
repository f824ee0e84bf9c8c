"""The doctor finds channels that alerts can't reach, and people who can't be called, before an alert does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app.factory import Factory
from bot.doctor import channels
from bot.doctor.checks import run_checks
from bot.local_slack.server import LocalSlack
from formatters.terminal.findings import Finding, Level
from tests.bot.doctor.test_checks import settings
from tests.support.factories import subscribe


async def found(local_slack: LocalSlack, database_path: Path, name: str) -> list[Finding]:
    findings = await run_checks(settings(local_slack, database_path))
    return [finding for finding in findings if finding.name == name]


async def test_channels_that_alerts_cant_reach_are_named(
    local_slack: LocalSlack, database_path: Path, factory: Factory
) -> None:
    good, archived, left = (local_slack.add_channel(name) for name in ("good", "old", "left"))
    private = local_slack.add_channel("secret", private=True)
    await subscribe(factory, "CBC", good, archived, left, private, "D0DIRECT")
    await subscribe(factory, "CBC", "C0ELSEWHERE", team="T0OTHER")
    (ok,) = await found(local_slack, database_path, "Subscribed channels")
    assert ok.level is Level.OK and ok.result.startswith("4 ")
    local_slack.archive(archived)
    local_slack.kick(private)
    local_slack.ungrant("chat:write.public")
    local_slack.invite(good)
    local_slack.kick(left)
    (warning,) = await found(local_slack, database_path, "Subscribed channels")
    assert warning.level is Level.WARN and "invite" in warning.advice
    assert f"{archived} (#old is archived)" in warning.result
    assert f"{left} (gwevent isn't in #left)" in warning.result
    assert f"{private} (channel_not_found)" in warning.result
    assert good not in warning.result and "D0DIRECT" not in warning.result


async def test_channels_are_left_alone_where_slack_cant_be_asked(
    local_slack: LocalSlack, database_path: Path, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await found(local_slack, database_path, "Subscribed channels") == []
    await subscribe(factory, "CBC", *(local_slack.add_channel(f"gw-{number}") for number in range(3)))
    monkeypatch.setattr(channels, "MAX_ASKED", 2)
    (some,) = await found(local_slack, database_path, "Subscribed channels")
    assert some.result.startswith("2 of 3 ")
    local_slack.fail("conversations.info", status=429)
    (limited,) = await found(local_slack, database_path, "Subscribed channels")
    assert limited.level is Level.WARN and "ratelimited" in limited.result
    local_slack.ungrant("channels:read")
    assert await found(local_slack, database_path, "Subscribed channels") == []


async def test_people_whose_account_is_deactivated_are_named(
    local_slack: LocalSlack, database_path: Path, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    here, gone = local_slack.workspace.people()[:2]
    words = f"CBC notify <@{here.id}> escalate 5min <@{gone.id}> <!subteam^S0AB1>"
    await subscribe(factory, words, channel)
    local_slack.grant("users:read")
    assert await found(local_slack, database_path, "Mentions") == []
    gone.deactivated = True
    (warning,) = await found(local_slack, database_path, "Mentions")
    assert f"{gone.id} ({channel} subscription 1)" in warning.result and here.id not in warning.result
    local_slack.ungrant("users:read")
    assert await found(local_slack, database_path, "Mentions") == []
