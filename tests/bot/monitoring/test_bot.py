"""The whole application: health, metrics, and the ops channel."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.samples import to_json
from tests.bot.monitoring.conftest import PATIENCE_S, PingedService, Tray
from tests.bot.related_messages.test_circular import circular
from tests.support.factories import MOCK, NOW, Clock, decoded_notice, notice_record, record_notices, subscribe


async def get(bot: Application, path: str, **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://127.0.0.1:{bot.http_port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def figures(bot: Application) -> dict[str, float]:
    """Return each sample of the metrics as "name{labels}" with its value."""
    _, text = await get(bot, "/metrics")
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_circulars_are_no_sign_that_notices_come(bot: Application, clock: Clock, tray: Tray) -> None:
    tray.queue.put_nowait(to_json(notice_record()))
    async with asyncio.timeout(PATIENCE_S):
        while tray.acknowledged < 1:
            await asyncio.sleep(0.02)
        clock.advance(hours=3)
        tray.queue.put_nowait(circular())
        while tray.acknowledged < 2:
            await asyncio.sleep(0.02)
    age = "gwevent_last_notice_age_seconds{}"
    assert (await figures(bot))[age] == 3 * 3600


@pytest.mark.slow
async def test_health_figures_and_the_first_real_notice(
    bot: Application, factory: Factory, local_slack: LocalSlack, clock: Clock, tray: Tray, ops: str
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "all", channel)
    await record_notices(factory, decoded_notice(MOCK))
    tray.queue.put_nowait(to_json(notice_record()))
    tray.queue.put_nowait(to_json(notice_record("S261122b")))
    tray.queue.put_nowait(b"nonsense")
    async with asyncio.timeout(PATIENCE_S):
        while tray.acknowledged < 3 or (await factory.outbox_statistics.counts()).waiting:
            await asyncio.sleep(0.02)

    told = [str(message["text"]) for message in local_slack.messages(ops)]
    assert len(told) == 2, told
    assert "first real notice: S261122a PRELIMINARY" in told[0] and "only mocks and tests" in told[0]

    assert await get(bot, "/healthz") == (200, '{"ok": true}')
    status, text = await get(bot, "/readyz")
    assert status == 200, text
    clock.advance(minutes=5)
    found = await figures(bot)
    assert found["gwevent_notices_total{alert_type=PRELIMINARY,category=real}"] == 2
    assert found["gwevent_payloads_total{handled=quarantined}"] == 1
    assert found["gwevent_last_notice_age_seconds{}"] == 300
    assert found["gwevent_source_lag{source=tray}"] == 3
    assert found["gwevent_deliveries{state=pending}"] == 0
    assert found["gwevent_slack_calls_total{method=chat.postMessage,outcome=ok}"] == 4
    assert found["gwevent_received_to_posted_seconds_count{}"] == 2
    assert found["gwevent_event_to_notice_seconds_count{}"] == 2
    assert found["gwevent_notice_to_received_seconds_count{}"] == 2
    assert found["gwevent_trouble{what=silence}"] == 0

    tray.connected = False
    status, text = await get(bot, "/readyz")
    assert status == 503 and "nothing to read" in text
    # Where a proxy makes pictures public, the figures stay within.
    status, _ = await get(bot, "/metrics", **{"X-Forwarded-For": "203.0.113.1"})
    assert status == 404


async def test_status_names_open_incidents(
    bot: Application, factory: Factory, local_slack: LocalSlack, clock: Clock
) -> None:
    await record_notices(factory, decoded_notice(MOCK))
    clock.advance(hours=3)
    await bot.health_monitor.check()
    done = await local_slack.command("/gwevent", "status", channel=local_slack.add_channel("gw"))
    answer = await done.wait_for_answer(PATIENCE_S)
    assert f"No notice has arrived since {NOW:%Y-%m-%d} 12:00:00" in answer["text"].replace("\u00a0", " ")


async def test_running_bot_pings_its_dead_mans_switch(
    bot: Application, clock: Clock, service: PingedService
) -> None:
    await record_notices(bot._factory, decoded_notice(MOCK), now=clock())
    async with asyncio.timeout(PATIENCE_S):
        while not service.pings:
            await asyncio.sleep(0.1)
