"""Cases in which the broker is down, hangs, loses offsets, rejects credentials, or lacks the topic."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from tests.chaos.bot_entrypoint import STALL_SIGNAL
from tests.chaos.harness import ChaosHarness
from tests.support.bot_process import GROUP, TOPIC
from tests.support.tls_proxy import SaslProxy, listen_on_loopback, make_certificate

AWAY_S = 6.0
FROZEN_S = 35.0
"""Seconds for which the broker hangs, longer than the client waits for an answer."""
NOWHERE = 1_000_000
"""An offset far beyond the topic's last."""


async def down_at_start(chaos: ChaosHarness) -> None:
    """Start the bot while the broker is down."""
    chaos.grant_history()
    await chaos.open_channels(2)
    await chaos.publish(3)
    chaos.broker.send_command("down")
    chaos.start()
    await chaos.wait_until_logged("source_disconnected")
    await chaos.wait_for_command("status", says="NOT CONNECTED")
    chaos.broker.send_command("up")
    await chaos.publish(3)
    await chaos.wait_until_delivered()


async def down_in_between(chaos: ChaosHarness) -> None:
    """The broker is down for a while; Slack is answered meanwhile."""
    await chaos.start_working(channels=2)
    chaos.broker.send_command("down")
    await chaos.wait_for_command("status", says="NOT CONNECTED")
    await asyncio.sleep(AWAY_S)
    chaos.broker.send_command("up")
    await chaos.publish(5)
    await chaos.wait_until_delivered()


async def frozen(chaos: ChaosHarness) -> None:
    """The broker hangs (SIGSTOP) for longer than the client waits."""
    await chaos.start_working(channels=2)
    chaos.broker.freeze()
    await asyncio.sleep(FROZEN_S)
    await chaos.wait_for_command()
    chaos.broker.thaw()
    await chaos.publish(5)
    await chaos.wait_until_delivered()


async def restarted(chaos: ChaosHarness) -> None:
    """The broker is restarted with its log kept, again and again."""
    await chaos.start_working(channels=2)
    for _ in range(5):
        await chaos.publish(2)
        chaos.broker.send_command("down")
        chaos.broker.send_command("up")
        await chaos.publish(2)
    await chaos.wait_until_delivered()


async def offset_lost(chaos: ChaosHarness) -> None:
    """The group's offset is lost: out of range, then gone altogether. All is read again, and is known."""
    await chaos.start_working(channels=2)
    assert await chaos.bot.terminate() == 0
    await asyncio.to_thread(chaos.broker.commit, GROUP, TOPIC, NOWHERE)
    await chaos.publish(2)
    chaos.start()
    await chaos.wait_until_logged("notice_repeated", times=3)
    await chaos.wait_until_delivered()
    await chaos.publish(2)
    await chaos.wait_until_delivered()
    await chaos.kill()
    chaos.start(GWEVENT_KAFKA_GROUP=f"{GROUP}-new")
    await chaos.wait_until_logged("notice_repeated", times=7)
    await chaos.publish(2)
    await chaos.wait_until_delivered()


async def doubled(chaos: ChaosHarness) -> None:
    """The broker has each message three times."""
    await chaos.start_working(channels=2)
    told = chaos.notice_generator.count
    await chaos.publish(10, times=3)
    await chaos.wait_until_delivered()
    await chaos.wait_until(
        lambda: len(chaos.bot.logged_events("notice_repeated")) >= 2 * (chaos.notice_generator.count - told),
        "all are read",
    )


async def wrong_credentials(chaos: ChaosHarness) -> None:
    """Reject the credentials (SCRAM over TLS) and accept them later; then change the password."""
    openssl = shutil.which("openssl")
    assert openssl is not None, "this case needs openssl"
    chaos.grant_history()
    await chaos.open_channels(2)
    await chaos.publish(4)
    certificate = make_certificate(openssl, chaos.deployment.folder)
    host, port = chaos.broker.address.split(":")
    gate = SaslProxy((host, int(port)), certificate, "not yet")
    _write_credential(chaos.deployment.folder, "right", certificate[0])
    with listen_on_loopback(gate.serve) as address:
        chaos.broker.send_command("advertise", *address.split(":"))
        through = {"GWEVENT_KAFKA_AUTH": "hop", "GWEVENT_KAFKA_URL": f"kafka://{address}/{TOPIC}"}
        chaos.start(**through)
        await chaos.wait_until_logged("source_disconnected", times=2)
        await chaos.wait_for_command("status", says="NOT CONNECTED")
        gate.set_password("right")
        await chaos.wait_until_delivered()
        assert await chaos.bot.terminate() == 0
        # An operator repairs it: the file has first the wrong password, then the right one.
        _write_credential(chaos.deployment.folder, "wrong", certificate[0])
        chaos.start(**through)
        await chaos.wait_until_logged("source_disconnected")
        assert await chaos.bot.terminate() == 0
        chaos.broker.send_command("advertise", host, port)
        await chaos.publish(3)
        chaos.broker.send_command("advertise", *address.split(":"))
        _write_credential(chaos.deployment.folder, "right", certificate[0])
        chaos.start(**through)
        await chaos.wait_until_delivered()
        assert await chaos.bot.terminate() == 0
        chaos.broker.send_command("advertise", host, port)


async def topic_later(chaos: ChaosHarness) -> None:
    """Start the bot before the topic exists."""
    chaos.grant_history()
    await chaos.open_channels(2)
    later = "igwn.later"
    chaos.start(GWEVENT_KAFKA_URL=chaos.broker.url(later))
    await chaos.wait_until_logged("source_disconnected", times=2)
    assert any("doesn't exist" in line["reason"] for line in chaos.bot.logged_events("source_disconnected"))
    chaos.broker.send_command("create", later)
    await chaos.publish(4, topic=later)
    await chaos.wait_until_delivered()


async def reader_stuck(chaos: ChaosHarness) -> None:
    """The reader falls silent without an error (librdkafka#5153); the watchdog opens it anew."""
    await chaos.start_working(channels=2)
    os.kill(chaos.bot.pid, STALL_SIGNAL)
    await chaos.publish(5)
    await chaos.wait_until_logged("source_reader_stalled")
    await chaos.wait_until_delivered()


def _write_credential(home: Path, password: str, certificate: Path) -> None:
    file = home / ".config" / "hop" / "auth.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'[[auth]]\nusername = "jane"\npassword = "{password}"\nssl_ca_location = "{certificate}"\n'
    )
    file.chmod(0o600)
