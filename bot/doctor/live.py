"""`gwevent doctor --live`: do once, for real, what the bot does with Slack, the broker and other servers.

What is posted is deleted again, and nothing is acknowledged to the broker.
"""

from __future__ import annotations

import asyncio
import platform
from importlib.metadata import version

import confluent_kafka

from bot import __version__
from bot.doctor.live_report import LiveReport
from bot.doctor.live_slack import try_slack
from bot.doctor.live_sources import try_gracedb, try_sources
from bot.doctor.treasure_map import try_treasure_map
from bot.settings import Settings
from formatters.terminal.findings import Level


async def run_live_checks(settings: Settings, channel: str) -> LiveReport:
    """Try everything, Slack in a channel (by id). Problems found don't raise."""
    report = LiveReport()
    used = (
        f"gwevent {__version__}, Python {platform.python_version()}, slack_sdk {version('slack_sdk')},"
        f" hop-client {version('hop-client')}, librdkafka {confluent_kafka.libversion()[0]}."
    )
    report.add("versions", Level.OK, used)
    await try_slack(settings, channel, report)
    await asyncio.to_thread(try_sources, settings, report)
    await try_gracedb(settings, report)
    await try_treasure_map(settings, report)
    return report
