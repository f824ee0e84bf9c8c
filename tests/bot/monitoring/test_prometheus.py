"""A real Prometheus scrapes a whole bot, and answers every query of the dashboard and of the alert rules."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.samples import to_json
from tests.bot.monitoring.conftest import Tray
from tests.support.factories import MOCK, notice_record, subscribe
from tests.support.prometheus import find_program

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "monitoring"
PATIENCE_S = 90.0
EMPTY_HERE = {
    "max by (holder) (gwevent_leases)",  # SQLite has none
    'sum by (kind) (increase(gwevent_delivery_outcomes_total{outcome="dead"}[30m])) > 0',
}
"""Queries that find no series in a sound bot on SQLite."""


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def dashboard_queries() -> list[str]:
    panels = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def rule_queries() -> list[str]:
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]
    return [rule["expr"] for rule in rules]


@pytest.fixture
async def prometheus(bot: Application, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a Prometheus that scrapes the bot and has loaded the alert rules."""
    program, port = find_program("prometheus"), unused_port()
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(FOLDER / "alerts.yaml")],
        "scrape_configs": [
            {"job_name": "gwevent", "static_configs": [{"targets": [f"127.0.0.1:{bot.http_port}"]}]}
        ],
    }
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config), "utf-8")
    process = subprocess.Popen(
        [
            program,
            f"--config.file={tmp_path / 'prometheus.yaml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


async def ask(session: aiohttp.ClientSession, address: str, path: str, **parameters: str) -> Any:
    async with session.get(f"{address}/api/v1/{path}", params=parameters) as answer:
        found = await answer.json()
        assert found["status"] == "success", (parameters, found)
        return found["data"]


@pytest.mark.process
async def test_prometheus_answers_every_query_about_a_running_bot(
    bot: Application, factory: Factory, local_slack: LocalSlack, tray: Tray, prometheus: str
) -> None:
    await subscribe(factory, "all mock", local_slack.add_channel("gw"))
    waiting = [query for query in dashboard_queries() if query not in EMPTY_HERE]
    number = 0
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        while waiting:
            number += 1
            # New series begin at a first scrape, and rates need a second one.
            tray.queue.put_nowait(to_json(notice_record(f"{MOCK}{chr(97 + number % 26)}")))
            await asyncio.sleep(0.5)
            with contextlib.suppress(aiohttp.ClientConnectionError):
                still = []
                for query in waiting:
                    if not (await ask(session, prometheus, "query", query=query))["result"]:
                        still.append(query)
                waiting = still
        for query in rule_queries():
            await ask(session, prometheus, "query", query=query)
        (group,) = (await ask(session, prometheus, "rules"))["groups"]
    assert {rule["name"]: rule["health"] for rule in group["rules"]} == dict.fromkeys(
        (rule["name"] for rule in group["rules"]), "ok"
    )
    assert len(group["rules"]) == len(rule_queries())
