"""`gwevent doctor` on a deployment with the local Slack, and the sample that it posts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import insert, text

from bot.app.application import Application
from bot.app.factory import Factory
from bot.doctor import host, sample_post
from bot.doctor.checks import run_checks
from bot.filters import parse_criteria
from bot.local_slack.server import LocalSlack
from bot.settings import Settings
from bot.slack.client import Identity, SlackClient
from bot.slack.token_cipher import TokenCipher, generate_key
from bot.store import schema
from bot.store.database import Database
from formatters.terminal.findings import Finding, Level
from tests.bot.monitoring.conftest import Pager, pager
from tests.bot.store.channels.test_installations import ONE
from tests.support.delivery_harness import IdleSource
from tests.support.factories import NOW, subscribe

__all__ = ["pager"]

PATIENCE_S = 90.0


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GWEVENT_TEST_BACKEND", "GWEVENT_TEST_POSTGRES_URL"):
        # They are the tests' own, and no settings.
        monkeypatch.delenv(name, raising=False)


def settings(local_slack: LocalSlack, database: Path, **changes: object) -> Settings:
    return Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
            "database_url": f"sqlite:///{database}",
            # Port 1 refuses at once.
            "kafka_url": "kafka://127.0.0.1:1/igwn.gwalert",
            "kafka_auth": "off",
            "gracedb_url": "off",
            **changes,
        }
    )


def levels(findings: list[Finding]) -> dict[str, Level]:
    """Return the worst level of each name."""
    order = list(Level)
    return {
        name: max((f.level for f in findings if f.name == name), key=order.index)
        for name in {finding.name for finding in findings}
    }


async def test_doctor_passes_a_sound_deployment_and_names_each_fault(
    local_slack: LocalSlack, database_path: Path, tmp_path: Path, pager: Pager
) -> None:
    database_path.chmod(0o600)
    ops = local_slack.add_channel("ops")
    ops = f"{local_slack.team_id}/{ops}"
    there = {
        "ops_channel": ops,
        "webhook_url": pager.url,
        "heartbeat_url": pager.url,
        "gracedb_url": local_slack.url,
    }
    good = levels(await run_checks(settings(local_slack, database_path, **there)))
    assert good.pop("broker") is Level.FAIL
    assert good.pop("Subscriptions") is Level.WARN
    assert good.pop("Galaxies") is Level.WARN
    assert set(good.values()) == {Level.OK}, good
    assert {"Disk", "Webhook", "Heartbeat", "Ops channel", "Clock", "Slack scopes", "GraceDB"} <= set(good)
    assert pager.calls == [], "looking wakes nobody"

    database_path.chmod(0o644)
    (tmp_path / ".env").write_text("SLACK_BOT_TOKEN=xoxb-1\n")
    (tmp_path / ".env").chmod(0o640)
    findings = await run_checks(
        settings(
            local_slack,
            database_path,
            ops_channel="C0NOWHERE",
            webhook_url="http://127.0.0.1:1/hook",
            gracedb_url="http://127.0.0.1:1/api/",
            http_port=urlsplit(pager.url).port,
        )
    )
    bad = levels(findings)
    assert bad["Settings"] is bad["Database"] is bad["GraceDB"] is Level.WARN
    assert bad["Webhook"] is bad["HTTP"] is bad["Ops channel"] is Level.FAIL
    assert all(finding.advice for finding in findings if finding.level is Level.FAIL)


async def test_subscriptions_whose_criteria_are_missing_are_named(
    local_slack: LocalSlack, database_path: Path, factory: Factory
) -> None:
    await subscribe(factory, "CBC criteria rubin-2026", "C1")
    await subscribe(factory, "CBC mock grade ours>=Silver", "C1")
    findings = await run_checks(settings(local_slack, database_path))
    [found] = [finding for finding in findings if finding.name == "Criteria"]
    assert found.level is Level.WARN and "C1 subscription 2 (ours)" in found.result
    assert "1 subscriptions" not in found.result and "criteria add" in found.advice


async def test_tables_of_another_version_are_left_alone(
    local_slack: LocalSlack, database_path: Path, factory: Factory
) -> None:
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    findings = await run_checks(settings(local_slack, database_path))
    said = [finding for finding in findings if finding.name == "Database" and "tables" in finding.result]
    assert said and "gwevent migrate" in said[0].advice
    async with factory.database.read_transaction() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar() == "0000"


async def test_a_gwevent_that_holds_the_port_is_recognised(
    local_slack: LocalSlack, database_path: Path, factory: Factory
) -> None:
    bot = Application(settings(local_slack, database_path, http_port=0), factory, [IdleSource()])
    stop = asyncio.Event()
    running = asyncio.create_task(bot.run(stop))
    async with asyncio.timeout(PATIENCE_S):
        await bot.ready.wait()
    (finding,) = await host.check_http_port(settings(local_slack, database_path, http_port=bot.http_port))
    assert finding.level is Level.OK and "is ready" in finding.result
    stop.set()
    await running


async def test_the_sample_is_posted_and_leaves_nothing_behind(
    local_slack: LocalSlack, database_path: Path, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    local_slack.ungrant("files:write")
    finding = await sample_post.post_sample(settings(local_slack, database_path), channel)
    assert finding.level is Level.OK, finding
    (message,) = local_slack.messages(channel)
    assert message["text"].startswith("TEST ") and "sample of gwevent doctor" in str(message["blocks"])
    assert "<!" not in str(message) and "gracedb" not in str(message).casefold()
    assert await factory.notices.recent_ids() == []


@pytest.mark.slow
async def test_a_sample_that_slack_refuses(local_slack: LocalSlack, database_path: Path) -> None:
    private = local_slack.add_channel("secret", private=True, bot_member=False)
    finding = await sample_post.post_sample(settings(local_slack, database_path), private)
    assert finding.level is Level.FAIL and "/invite @gwevent" in finding.advice


async def test_many_workspaces_and_their_keys(
    local_slack: LocalSlack, database_path: Path, factory: Factory
) -> None:
    key = generate_key()
    given = {
        "slack_bot_token": None,
        "slack_app_token": None,
        "slack_client_id": "1.2",
        "slack_client_secret": "secret",
        "slack_signing_secret": "signing",
        "public_url": "https://gwevent.example.org",
    }
    await factory.installations.save(replace(ONE, token=TokenCipher([key]).encrypt("xoxb-1")), NOW)
    good = settings(local_slack, database_path, secret_keys=key, **given)
    found = await run_checks(good)
    assert levels(found)["Slack workspaces"] is Level.OK
    assert any("https://gwevent.example.org/slack/events" in finding.result for finding in found)
    lost = await run_checks(settings(local_slack, database_path, secret_keys=generate_key(), **given))
    assert levels(lost)["Slack workspaces"] is Level.FAIL
    without = await run_checks(settings(local_slack, database_path, **given))
    assert any("GWEVENT_SECRET_KEYS must be set" in finding.result for finding in without)


async def test_channels_to_which_nothing_comes_are_named(
    local_slack: LocalSlack, factory: Factory, database_path: Path
) -> None:
    for team, channel in ((local_slack.team_id, "C0GONE"), ("T0ELSEWHERE", "C0STRAY")):
        await factory.subscriptions.add_confirmed(team, channel, parse_criteria("CBC"), "U1", NOW)
    async with factory.database.exclusive_transaction() as connection:
        gone = {
            "team_id": local_slack.team_id,
            "channel_id": "C0GONE",
            "problem": "channel_not_found",
            "since": NOW,
        }
        await connection.execute(insert(schema.channel_problems).values(gone))
    findings = await run_checks(settings(local_slack, database_path))
    (away,) = [finding for finding in findings if finding.name == "Channels"]
    assert away.level is Level.WARN and "C0GONE (channel_not_found)" in away.result
    (stray,) = [finding for finding in findings if finding.name == "Slack workspaces"]
    assert stray.level is Level.WARN and "C0STRAY (T0ELSEWHERE)" in stray.result


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("ratelimited", "Try again in"),
        ("invalid_auth", "copy the new bot token"),
        ("team_added_to_org", "moved into an organization"),
        ("an_error_nobody_listed", "file an issue"),
        ("internal_error", "Check the network"),
    ],
)
async def test_remedy_of_a_refused_token_fits_the_refusal(
    local_slack: LocalSlack, database_path: Path, error: str, advice: str
) -> None:
    local_slack.fail("auth.test", error=error, times=None)
    findings = await run_checks(settings(local_slack, database_path))
    (found,) = [finding for finding in findings if finding.name == "Slack bot token"]
    assert found.level is Level.FAIL and advice in found.advice, found


async def test_scopes_that_slack_does_not_tell_are_not_called_missing(
    local_slack: LocalSlack, database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identify = SlackClient.identify

    async def silently(client: SlackClient) -> Identity:
        return replace(await identify(client), scopes=frozenset())

    monkeypatch.setattr(SlackClient, "identify", silently)
    findings = await run_checks(settings(local_slack, database_path))
    (found,) = [finding for finding in findings if finding.name == "Slack scopes"]
    assert found.level is Level.WARN and "doctor --live" in found.advice


async def test_http_host_of_another_machine_is_told_apart_from_a_busy_port(
    local_slack: LocalSlack, database_path: Path
) -> None:
    asked = settings(local_slack, database_path, http_host="203.0.113.7", http_port=8_080)
    (found,) = await host.check_http_port(asked)
    assert found.level is Level.FAIL and "GWEVENT_HTTP_HOST" in found.advice


async def test_an_encoding_that_lacks_characters_is_named(
    local_slack: LocalSlack, database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def latin(_: Database) -> str:
        return "LATIN1"

    monkeypatch.setattr(Database, "unsuitable_encoding", latin)
    findings = await run_checks(settings(local_slack, database_path))
    [warning] = [finding for finding in findings if finding.name == "Encoding"]
    assert warning.level is Level.WARN and "LATIN1" in warning.result and "UTF8" in warning.advice
