"""Images served by the bot itself if it has a public address."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
import pytest

from bot.app.factory import Factory, utc_now
from bot.app.http_server import HttpServer
from bot.delivery.image_drawer import ImageDrawer
from bot.delivery.image_worker import ImageWorker
from bot.local_slack.server import LocalSlack
from bot.runtime.wakeups import Wakeups
from bot.samples import bbh, to_avro
from bot.skymap_service.image_process import ImageProcess
from bot.slack.client import SlackClient
from bot.sources.base import Origin
from tests.support.factories import create_pipeline, subscribe

PUBLIC = "https://gwevent.example.org"


@pytest.mark.slow
async def test_a_root_shows_the_picture_that_the_bot_serves(
    local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    local_slack.ungrant("files:write")
    await subscribe(factory, "CBC", channel)
    server = HttpServer(factory.images, "127.0.0.1", 0)
    port = await server.start()
    async with aiohttp.ClientSession() as session:
        clients = {local_slack.team_id: SlackClient(local_slack.bot_token, local_slack.api_url, session)}
        wakeups = Wakeups()
        worker = factory.create_delivery_worker(
            clients, utc_now, wakeups=wakeups, public_url=PUBLIC, channel_pause_s=0
        )
        drawer = ImageDrawer(factory.notices, ImageProcess())
        pictures = ImageWorker(factory.images, clients, drawer, utc_now, wakeups, serves_images=True)
        tasks = [asyncio.create_task(worker.run()), asyncio.create_task(pictures.run())]
        pipeline = create_pipeline(
            factory,
            utc_now,
            max_age=timedelta(hours=24),
            wakeups=wakeups,
            should_draw=lambda _: True,
        )
        await pipeline.handle(to_avro(bbh(utc_now())[0]), Origin("file", "bbh", live=True))

        def address() -> str | None:
            blocks = [b for m in local_slack.messages(channel) for b in m["blocks"] if b["type"] == "image"]
            return str(blocks[0]["image_url"]) if blocks else None

        url = await local_slack.wait_for(address, timeout=60)
        assert url is not None and url.startswith(f"{PUBLIC}/pictures/")
        here = f"http://127.0.0.1:{port}{url.removeprefix(PUBLIC)}"
        async with session.get(here) as answer:
            assert answer.status == 200 and answer.content_type == "image/png"
            assert "immutable" in answer.headers["Cache-Control"]
            assert (await answer.read()).startswith(b"\x89PNG")
        for wrong in ("/pictures/", "/pictures/x.png", here[-40:-4], f"/pictures/{'A' * 43}.png"):
            async with session.get(f"http://127.0.0.1:{port}/{wrong.lstrip('/')}") as answer:
                assert answer.status == 404
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        assert not [call for call in local_slack.calls if call.method.startswith("files.")]
        await worker.stop()
        await pictures.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await server.stop()
