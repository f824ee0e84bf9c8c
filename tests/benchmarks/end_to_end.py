"""Broker to Slack, gwevent against a plain script. Run it: python tests/benchmarks/end_to_end.py.

The script does what most people write: hop's default reader, `astropy.io.fits`, one synchronous WebClient
post. Each has a topic of its own on one broker and runs as a process of its own; notices go to them in turn.
Measured is the time from just before publishing to the arrival of `chat.postMessage` at the local Slack.

The embedded broker holds a fetch for its whole wait, half a second, also if a notice comes meanwhile, which
both pay. So gwevent's own part is shown apart: from the moment at which a payload reaches its pipeline, the
`received_at` of the stored notice, to the request's arrival: decoding, measuring the map, the transaction
with its plan, claiming, rendering, sending. It is measured twice: before the script is started, as on a
machine that runs the bot, and in turn with the script.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bot.app.factory import open_factory
from bot.demo.kafka_broker import EmbeddedBroker, Publisher
from bot.filters import parse_criteria
from bot.local_slack.server import LocalSlack
from bot.samples import ms181101ab, to_avro
from bot.settings import Settings

TOPICS = ("ours", "theirs")
ROUNDS = 15
PAUSE_S = 1.3
"""Between two notices, longer than Slack's second a message a channel, which gwevent keeps by itself."""
WITHIN_S = 60.0
AIM = 1.0
OWN_AIM_MS = 25.0


def script(url: str, api_url: str, token: str, channel: str) -> None:
    """Read, parse, post, for ever."""
    from astropy.io import fits
    from hop.io import StartPosition, Stream
    from slack_sdk import WebClient

    client = WebClient(token, base_url=api_url)
    with Stream(auth=False, start_at=StartPosition.EARLIEST).open(url, "r") as stream:
        for message in stream:
            content = message.content
            record = content[0] if isinstance(content, list) else content
            event = record["event"]
            with fits.open(io.BytesIO(event["skymap"])) as opened:
                table, header = opened[1].data, opened[1].header
                peak = table[table["PROBDENSITY"].argmax()]
            best = max(event["classification"], key=event["classification"].get)
            text = f"{record['superevent_id']} {best} FAR {event['far']:.1e} Hz, tile {peak['UNIQ']}, "
            text += f"{header['DISTMEAN']:.0f} ± {header['DISTSTD']:.0f} Mpc"
            client.chat_postMessage(channel=channel, text=text)


def body(number: int) -> bytes:
    """A new event each time, so that each opens a message."""
    now = datetime.now(UTC)
    record = dict(next(r for r in ms181101ab(now) if r["alert_type"] == "PRELIMINARY"))
    letters = f"{chr(97 + number // 26)}{chr(97 + number % 26)}"
    return to_avro(record | {"superevent_id": f"MS{now:%y%m%d}{letters}"})


async def next_arrival(local_slack: LocalSlack, channel: str, already: int) -> float:
    """The Unix time at which the next post for a channel arrives."""

    def posts() -> list[float]:
        calls = [c for c in local_slack.calls if c.method == "chat.postMessage"]
        return [c.time for c in calls if c.args.get("channel") == channel][already:]

    return (await local_slack.wait_for(posts, WITHIN_S))[0]


class Times(NamedTuple):
    """Seconds, one for each round."""

    ours: list[float]
    """From broker to Slack, by gwevent."""
    own: list[float]
    """The part of that after the payload reached gwevent's pipeline."""
    alone: list[float]
    """The same before the script was started."""
    theirs: list[float]
    """From broker to Slack, by the script."""


def received_times(folder: Path) -> list[float]:
    """The Unix times at which the stored notices reached the pipeline, in their order."""
    with closing(sqlite3.connect(f"file:{folder / 'gwevent.sqlite'}?mode=ro", uri=True)) as connection:
        rows = connection.execute("select received_at from notices order by id").fetchall()
    return [datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for (text,) in rows]


async def measure(folder: Path, rounds: int) -> Times:
    """Both in turn, `rounds` times."""
    started: list[subprocess.Popen[bytes]] = []
    times: dict[str, list[float]] = {topic: [] for topic in TOPICS}
    arrived: list[float] = []
    async with LocalSlack(limits=False) as local_slack:
        with EmbeddedBroker() as broker:
            channels = {topic: local_slack.add_channel(topic) for topic in TOPICS}
            for topic in TOPICS:
                broker.create_topic(topic)
            started.append(await gwevent(local_slack, broker, folder, channels["ours"]))
            arguments = [broker.url("theirs"), local_slack.api_url, local_slack.bot_token, channels["theirs"]]

            async def send(topic: str, payload: bytes, already: int) -> float:
                """Publish a payload and return how long its post took; the next one is sent after a pause."""
                with Publisher(broker.url(topic)) as publisher:
                    before = time.time()
                    await asyncio.to_thread(publisher.publish, payload)
                arrival = await next_arrival(local_slack, channels[topic], already)
                if topic == "ours":
                    arrived.append(arrival)
                await asyncio.sleep(PAUSE_S / 2)
                return arrival - before

            try:
                # The first of each waits for the start.
                for number in range(rounds + 1):
                    await send("ours", body(number), number)
                    await asyncio.sleep(PAUSE_S / 2)
                started.append(subprocess.Popen([sys.executable, __file__, "--script", *arguments]))
                for number in range(rounds + 1):
                    payload = body(rounds + 1 + number)
                    taken = await send("ours", payload, rounds + 1 + number)
                    times["ours"].append(taken)
                    times["theirs"].append(await send("theirs", payload, number))
            finally:
                for process in started:
                    process.kill()
                    process.wait()
    own = [arrival - received for arrival, received in zip(arrived, received_times(folder), strict=True)]
    return Times(times["ours"][1:], own[rounds + 2 :], own[1 : rounds + 1], times["theirs"][1:])


async def gwevent(
    local_slack: LocalSlack, broker: EmbeddedBroker, folder: Path, channel: str
) -> subprocess.Popen[bytes]:
    """Start `gwevent run`, with one subscription in force."""
    database = f"sqlite:///{folder / 'gwevent.sqlite'}"
    async with open_factory(Settings.model_validate({"database_url": database})) as factory:
        criteria, now = parse_criteria("all mock"), datetime.now(UTC)
        await factory.subscriptions.add_confirmed(
            local_slack.team_id, channel, criteria, local_slack.user, now
        )
    environment: dict[str, Any] = {
        **os.environ,
        "SLACK_BOT_TOKEN": local_slack.bot_token,
        "SLACK_APP_TOKEN": local_slack.app_token,
        "GWEVENT_SLACK_API_URL": local_slack.api_url,
        "GWEVENT_DATABASE_URL": database,
        "GWEVENT_KAFKA_URL": broker.url("ours"),
        "GWEVENT_KAFKA_AUTH": "off",
        "GWEVENT_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "bot", "run"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def main() -> None:
    """Print the table; with --script, be the script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--script", nargs=4, metavar=("URL", "API_URL", "TOKEN", "CHANNEL"))
    chosen = parser.parse_args()
    if chosen.script:
        script(*chosen.script)
        return
    with tempfile.TemporaryDirectory(prefix="gwevent-benchmark-") as folder:
        times = asyncio.run(measure(Path(folder), ROUNDS))
    print(f"Broker to Slack's request, one channel, medians of {ROUNDS} notices in turn")
    parts = (times.theirs, times.ours, times.own, times.alone)
    plain, gw, own, alone = (1000 * statistics.median(part) for part in parts)
    ratio = statistics.median(a / b for a, b in zip(times.ours, times.theirs, strict=True))
    print(f"{'hop, astropy.io.fits, WebClient':<40}{plain:8.0f} ms")
    print(f"{'gwevent run':<40}{gw:8.0f} ms  {ratio:.2f}  ratio ≤ {AIM:.0f}")
    least = 1000 * min(times.alone)
    aim = f"aim ≤ {OWN_AIM_MS:.0f} ms; the least {least:.0f} ms"
    print(f"{'its own part, nothing beside it':<40}{alone:8.0f} ms  {aim}")
    print(f"{'its own part, in turn with the script':<40}{own:8.0f} ms")


if __name__ == "__main__":
    main()
