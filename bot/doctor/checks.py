"""All checks of a deployment, each finding with advice."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import structlog

from bot.app.deployment import LOCAL_ENV_FILE, setting_problems
from bot.app.factory import open_factory
from bot.doctor.channels import check_orphaned_channels, check_subscribed_channels
from bot.doctor.gcn import check_gcn
from bot.doctor.host import check_host, check_webhook_steps, nearest_folder
from bot.doctor.kafka import check_kafka
from bot.doctor.other_servers import check_other_servers
from bot.doctor.slack_remedies import remedy
from bot.runtime.http_proxy import proxy_for
from bot.settings import Settings, SettingsError
from bot.slack.client import SlackClient
from bot.slack.errors import ChannelUnavailable, OutcomeUnknown, RateLimited, SlackFailure, Unavailable
from bot.slack.gateway import EVENTS_PATH
from bot.slack.oauth import INSTALL_PATH
from bot.slack.scopes import ADVISED_SCOPES, REQUIRED_SCOPES, ROLE_SCOPES
from bot.slack.token_cipher import InvalidKeys, TokenCipher
from bot.sources.factory import gcn_access
from bot.store.channels.installations import InstallationRepository
from bot.store.database import Database, InvalidDatabaseUrl, StoreUnavailable
from formatters.terminal.findings import Finding, Level

MAX_CLOCK_OFFSET_S = 30.0
MAX_LISTED = 5
BROKER_TIMEOUT_S = 15.0

log = structlog.get_logger(__name__)


async def run_checks(settings: Settings, env_file: Path | None = LOCAL_ENV_FILE) -> list[Finding]:
    """Run all checks and return their findings; problems found don't raise."""
    try:
        around = await check_host(settings, env_file)
    except InvalidDatabaseUrl:
        # `_check_database` reports it, with advice.
        around = []
    database, slack, broker, servers = await asyncio.gather(
        _check_database(settings),
        _check_slack(settings),
        asyncio.to_thread(_check_sources, settings),
        check_other_servers(settings),
    )
    findings = [*around, *database, *slack, *broker, *servers]
    return [*_check_setting_names(env_file), *findings]


def _check_setting_names(env_file: Path | None) -> list[Finding]:
    """Return a finding for each misspelled setting, which would be ignored without notice."""
    return [
        Finding(name="Settings", level=Level.WARN, result=found, advice=advice)
        for found, advice in setting_problems(env_file)
    ]


def _check_sources(settings: Settings) -> list[Finding]:
    """Check the configured brokers. Blocks."""
    findings = []
    if "hopskotch" in settings.source_names:
        findings += check_kafka(
            settings.kafka_url,
            settings.kafka_auth,
            settings.kafka_group,
            BROKER_TIMEOUT_S,
            settings.configured_hopskotch_topics,
        )
    if "gcn" in settings.source_names:
        findings.append(check_gcn(gcn_access(settings), settings.configured_gcn_topics, BROKER_TIMEOUT_S))
    if all(topic.is_optional for topic in settings.configured_topics):
        todo = (
            "Name igwn.gwalert in GWEVENT_KAFKA_URL or GWEVENT_GCN_TOPICS, and a topic of another name in"
            " GWEVENT_TOPIC_STREAMS too (name=alerts)."
        )
        findings.append(Finding("Alerts", Level.FAIL, "No topic that is read brings LVK's alerts.", todo))
    return findings


async def _check_database(settings: Settings) -> list[Finding]:
    try:
        behind = await _check_schema(settings)
        if behind is not None:
            return [behind]
        async with open_factory(settings) as factory:
            encoding = await factory.database.unsuitable_encoding()
            counts = await factory.outbox_statistics.counts()
            subscriptions = await factory.subscriptions.count()
            away = await factory.channel_moves.list_unreachable_channels()
            incomplete = await factory.criteria_sets.list_missing()
            steps = await check_webhook_steps(factory.escalation_reports, settings)
            running = not factory.database.acquire_instance_lock() or await factory.leases.has_other_workers()
    except (StoreUnavailable, InvalidDatabaseUrl) as error:
        todo = "Set GWEVENT_DATABASE_URL to a place that can be written, or free some space there."
        return [Finding(name="Database", level=Level.FAIL, result=str(error), advice=todo)]
    where = "in use by a running gwevent" if running else "ready"
    found = f"{where}; {subscriptions} subscriptions, {counts.waiting} deliveries waiting"
    findings = [Finding(name="Database", level=Level.OK, result=f"{found}.")]
    if encoding is not None:
        found = f"Its encoding {encoding} lacks characters that notices and people use."
        todo = "Make a database with ENCODING 'UTF8', and copy this one into it with pg_dump and pg_restore."
        findings.append(Finding(name="Encoding", level=Level.WARN, result=found, advice=todo))
    if not subscriptions:
        todo = "Type /gwevent subscribe CBC in the channel that should get alerts."
        findings.append(
            Finding(
                name="Subscriptions", level=Level.WARN, result="No channel asked for anything.", advice=todo
            )
        )
    if away:
        named = ", ".join(f"{channel} ({problem})" for _, channel, problem in away[:MAX_LISTED])
        found = f"{len(away)} channels asked for alerts and can't be posted to: {named}."
        todo = (
            "Invite gwevent again, or unarchive them. One that Slack Connect shared may have another id by "
            "now: then subscribe in it again."
        )
        findings.append(Finding(name="Channels", level=Level.WARN, result=found, advice=todo))
    if incomplete:
        named = "; ".join(
            f"{s.channel_id} subscription {s.number} ({', '.join(s.missing_sets)})"
            for s in incomplete[:MAX_LISTED]
        )
        count = "A subscription names" if len(incomplete) == 1 else f"{len(incomplete)} subscriptions name"
        found = f"{count} criteria that aren't there: {named}."
        todo = (
            "Conditions on them don't hold. Add the criteria set again (/gwevent criteria add), or edit the"
            " subscription."
        )
        findings.append(Finding(name="Criteria", level=Level.WARN, result=found, advice=todo))
    findings += steps
    if counts.quarantined:
        found = f"{counts.quarantined} payloads couldn't be handled and are kept."
        todo = "Run gwevent replay --quarantine after an upgrade."
        findings.append(Finding(name="Quarantine", level=Level.WARN, result=found, advice=todo))
    return findings


async def _check_schema(settings: Settings) -> Finding | None:
    """Return a finding if the schema is missing or not current, else None. Creates nothing."""
    database = Database(settings.effective_database_url)
    try:
        if not await database.has_tables():
            return _missing_database(database)
        if await database.is_current():
            return None
    finally:
        await database.close()
    found = "Its tables are another version's of gwevent."
    todo = "Run gwevent migrate, after a backup; gwevent run does so by itself."
    return Finding(name="Database", level=Level.WARN, result=found, advice=todo)


def _missing_database(database: Database) -> Finding:
    folder = None if database.path is None else nearest_folder(database.path)
    if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
        todo = "Set GWEVENT_DATABASE_URL to a place that this user can write, or run this as the bot's user."
        return Finding("Database", Level.FAIL, f"There is none, and {folder} can't be written.", todo)
    where = "there" if database.path is None else f"at {database.path}"
    todo = "gwevent run makes it; if a bot has one elsewhere, name its settings file with --env-file."
    return Finding("Database", Level.WARN, f"No gwevent has made one {where} yet.", todo)


async def _check_slack(settings: Settings) -> list[Finding]:
    async with aiohttp.ClientSession() as session:
        if settings.slack_client_id is not None:
            return [*await _check_workspaces(settings), *await _check_clock(settings, session)]
        by_request = settings.slack_app_token is None and settings.slack_signing_secret is not None
        return [
            *await _check_bot_token(settings, session),
            *([_check_request_url(settings)] if by_request else await _check_app_token(settings, session)),
            *await _check_clock(settings, session),
        ]


async def _check_workspaces(settings: Settings) -> list[Finding]:
    """Check the settings for many workspaces, and that their keys decrypt all stored tokens."""
    try:
        access = settings.slack_access()
        cipher = TokenCipher([key.get_secret_value() for key in access.keys])
    except (SettingsError, InvalidKeys) as error:
        return [Finding("Slack workspaces", Level.FAIL, str(error), "deploy/README.md says how to set it.")]
    findings = [] if access.app_token is not None else [_check_request_url(settings)]
    database = Database(settings.effective_database_url)
    try:
        current = await database.has_tables() and await database.is_current()
        installed = await InstallationRepository(database).list_all() if current else []
        for one in installed:
            cipher.decrypt(one.token)
    except StoreUnavailable as error:
        return [*findings, Finding("Slack workspaces", Level.FAIL, str(error), "See the database above.")]
    except InvalidKeys as error:
        todo = "Put the key that is missing behind the others in GWEVENT_SECRET_KEYS."
        return [*findings, Finding("Slack workspaces", Level.FAIL, str(error), todo)]
    finally:
        await database.close()
    findings += await check_orphaned_channels(settings, {one.team_id for one in installed})
    found = f"{len(installed)} have installed it at {settings.public_url}{INSTALL_PATH}; their tokens open."
    return [*findings, Finding("Slack workspaces", Level.OK, found)]


def _check_request_url(settings: Settings) -> Finding:
    name = "Slack requests"
    if settings.public_url is None:
        return Finding(
            name, Level.FAIL, "GWEVENT_PUBLIC_URL isn't set.", "Set it to where Slack reaches the bot."
        )
    found = f"Slack's request address is {settings.public_url}{EVENTS_PATH}."
    todo = "Write it into the app's manifest (deploy/slack-manifest-http.yaml); a proxy in front does TLS."
    return Finding(name, Level.OK, found, todo)


async def _check_bot_token(settings: Settings, session: aiohttp.ClientSession) -> list[Finding]:
    name = "Slack bot token"
    if settings.slack_bot_token is None:
        todo = "Install the app in your workspace and set SLACK_BOT_TOKEN to its bot token (xoxb-…)."
        return [Finding(name=name, level=Level.FAIL, result="SLACK_BOT_TOKEN isn't set.", advice=todo)]
    client = SlackClient(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, session)
    try:
        identity = await client.identify()
    except (Unavailable, OutcomeUnknown) as failure:
        return [_unreachable(name, failure.reason)]
    except SlackFailure as failure:
        found = f"Slack refuses it: {failure.reason}."
        return [Finding(name=name, level=Level.FAIL, result=found, advice=remedy(failure, "auth.test"))]
    findings = [
        Finding(name=name, level=Level.OK, result=f"works in {identity.team_name} as {identity.user_id}.")
    ]
    findings += await check_orphaned_channels(settings, {identity.team_id})
    findings += _check_scopes(settings, identity.scopes)
    findings += await check_subscribed_channels(settings, client, identity)
    _, channel = settings.ops_team_and_channel
    if channel is not None:
        findings.append(await _check_ops_channel(client, channel, identity.scopes))
    return findings


def _check_scopes(settings: Settings, granted: frozenset[str]) -> list[Finding]:
    """Compare the granted scopes with those that are needed; Slack's answer may not tell them."""
    name = "Slack scopes"
    if not granted:
        found = "Slack doesn't tell which scopes the token has, so they couldn't be compared."
        todo = "gwevent doctor --live CHANNEL tries what they allow."
        return [Finding(name=name, level=Level.WARN, result=found, advice=todo)]
    findings = []
    missing = sorted(REQUIRED_SCOPES - granted)
    if missing:
        todo = "Compare its manifest with deploy/slack-manifest.yaml, then install the app again."
        findings.append(Finding(name, Level.FAIL, f"{', '.join(missing)} missing.", todo))
    unknowing = [scope for scope in ROLE_SCOPES[settings.who_may_subscribe] if scope not in granted]
    if unknowing:
        found = f"{' and '.join(unknowing)} missing: nobody can be known as one who may subscribe."
        todo = "Add it to the app's manifest and install the app again, or unset GWEVENT_WHO_MAY_SUBSCRIBE."
        findings.append(Finding(name=name, level=Level.FAIL, result=found, advice=todo))
    for scope, use in ADVISED_SCOPES.items():
        if scope not in granted:
            found = f"{scope} isn't granted; with it gwevent can {use}."
            findings.append(Finding(name=name, level=Level.WARN, result=found))
    if not missing:
        findings.append(Finding(name=name, level=Level.OK, result="All that is needed is granted."))
    return findings


async def _check_ops_channel(client: SlackClient, channel: str, scopes: frozenset[str]) -> Finding:
    name = "Ops channel"
    needed = {"channels:read", "groups:read"}
    try:
        found = await client.channel_info(channel)
    except SlackFailure as failure:
        if failure.reason == "missing_scope" and not needed <= scopes:
            todo = f"gwevent doctor --post {channel} posts a sample there."
            return Finding(name, Level.WARN, f"{channel} can't be looked at without channels:read.", todo)
        todo = "Is GWEVENT_OPS_CHANNEL the channel's id? In a private channel, /invite @gwevent first."
        if not isinstance(failure, ChannelUnavailable):
            todo = remedy(failure, "conversations.info")
        return Finding(name, Level.FAIL, f"{channel} can't be looked at: {failure.reason}.", todo)
    if found.is_archived:
        todo = "Unarchive it, or set GWEVENT_OPS_CHANNEL to another."
        return Finding(name, Level.FAIL, f"#{found.name} is archived.", todo)
    if not found.is_member and (found.is_private or "chat:write.public" not in scopes):
        return Finding(name, Level.FAIL, f"gwevent isn't in #{found.name}.", "/invite @gwevent there.")
    return Finding(name, Level.OK, f"#{found.name} receives incidents.")


async def _check_app_token(settings: Settings, session: aiohttp.ClientSession) -> list[Finding]:
    name = "Slack app token"
    if settings.slack_app_token is None:
        todo = "Make an app-level token with connections:write and set SLACK_APP_TOKEN to it (xapp-…)."
        return [Finding(name=name, level=Level.FAIL, result="SLACK_APP_TOKEN isn't set.", advice=todo)]
    client = SlackClient(settings.slack_app_token.get_secret_value(), settings.slack_api_url, session)
    try:
        await client.check_socket_mode()
    except (Unavailable, OutcomeUnknown) as failure:
        if failure.reason == "HTTP 404":
            found = f"There is no Socket Mode at {settings.slack_api_url} (HTTP 404)."
            todo = "Is GWEVENT_SLACK_API_URL Slack's own (https://slack.com/api/)?"
            return [Finding(name=name, level=Level.FAIL, result=found, advice=todo)]
        return [_unreachable(name, failure.reason)]
    except SlackFailure as failure:
        todo = "Make a new app-level token with connections:write, and switch Socket Mode on."
        if isinstance(failure, RateLimited):
            todo = remedy(failure)
        return [
            Finding(name=name, level=Level.FAIL, result=f"Slack refuses it: {failure.reason}.", advice=todo)
        ]
    return [Finding(name=name, level=Level.OK, result="opens Socket Mode.")]


async def _check_clock(settings: Settings, session: aiohttp.ClientSession) -> list[Finding]:
    """Compare this machine's clock with the Date header of a response from Slack."""
    try:
        url = settings.slack_api_url + "api.test"
        within = aiohttp.ClientTimeout(total=10)
        async with session.post(url, timeout=within, proxy=proxy_for(url)) as answer:
            theirs = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        found = "can't be compared: Slack's answer doesn't tell the time."
        return [Finding("Clock", Level.WARN, found, "timedatectl says whether it is synchronized.")]
    except (aiohttp.ClientError, TimeoutError) as error:
        found = f"can't be compared: Slack can't be reached ({type(error).__name__})."
        return [Finding("Clock", Level.WARN, found, "See Slack's findings above.")]
    off = (datetime.now(UTC) - theirs.astimezone(UTC)).total_seconds()
    if abs(off) > MAX_CLOCK_OFFSET_S:
        todo = "Set the clock (timedatectl set-ntp true): ages and latencies are wrong without."
        found = f"It is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} Slack's."
        return [Finding(name="Clock", level=Level.FAIL, result=found, advice=todo)]
    return [Finding(name="Clock", level=Level.OK, result="agrees with Slack's.")]


def _unreachable(name: str, reason: str) -> Finding:
    todo = "Check the network, a proxy and GWEVENT_SLACK_API_URL."
    return Finding(name=name, level=Level.FAIL, result=f"Slack can't be reached ({reason}).", advice=todo)
