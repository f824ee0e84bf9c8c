"""The way of production: TLS and SCRAM in front of the embedded broker, which has neither itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hop.auth import Auth

from bot.demo.kafka_broker import EmbeddedBroker, publish
from bot.doctor.kafka import check_kafka
from bot.sources.credentials import auth_username, consumer_group, load_auth
from bot.sources.hopskotch import HopskotchSource, HopskotchTiming
from formatters.terminal.findings import Level
from tests.support.tls_proxy import SaslProxy, listen_on_loopback

TOPIC = "igwn.gwalert"


@pytest.fixture
def secured(
    certificate: tuple[Path, Path],
) -> Iterator[str]:
    """The URL of a topic with two payloads, behind TLS and SCRAM."""
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        publish(broker.url(TOPIC), b"one")
        publish(broker.url(TOPIC), b"two")
        host, port = broker.address.split(":")
        with listen_on_loopback(SaslProxy((host, int(port)), certificate, "right").serve) as address:
            broker.advertise("127.0.0.1", int(address.rpartition(":")[2]))
            yield f"kafka://{address}/{TOPIC}"


def write(auth_file: Path, password: str, certificate: tuple[Path, Path]) -> None:
    auth_file.write_text(
        f'[[auth]]\nusername = "jane"\npassword = "{password}"\nssl_ca_location = "{certificate[0]}"\n'
    )
    auth_file.chmod(0o600)


@pytest.mark.slow
async def test_reads_with_hops_credential_and_goes_on_after_a_restart(
    secured: str, auth_file: Path, certificate: tuple[Path, Path]
) -> None:
    write(auth_file, "right", certificate)
    auth = load_auth(secured, "hop")
    assert isinstance(auth, Auth)
    for body in (b"one", b"two"):
        source = HopskotchSource(secured, consumer_group(auth_username(auth), None), auth)
        async with asyncio.timeout(60):
            payload = await anext(source.payloads())
            assert payload.body == body
            await source.acknowledge(payload)
            await source.stop()


@pytest.mark.slow
async def test_says_that_the_credential_is_refused(
    secured: str, auth_file: Path, certificate: tuple[Path, Path]
) -> None:
    write(auth_file, "wrong", certificate)
    source = HopskotchSource(
        secured, "jane-gwevent", True, timing=HopskotchTiming(watermark_interval_s=0.1, query_timeout_s=0.5)
    )
    waiting = asyncio.ensure_future(anext(source.payloads()))
    async with asyncio.timeout(60):
        while "refuses the credential" not in source.status().detail:
            await asyncio.sleep(0.01)
        assert not source.status().connected
        await source.stop()
        with pytest.raises(StopAsyncIteration):
            await waiting


@pytest.mark.slow
def test_the_doctor_knows_a_good_credential_from_a_refused_one(
    secured: str, auth_file: Path, certificate: tuple[Path, Path]
) -> None:
    write(auth_file, "right", certificate)
    assert {finding.level for finding in check_kafka(secured, "hop", None)} == {Level.OK}
    write(auth_file, "wrong", certificate)
    last = check_kafka(secured, "hop", None)[-1]
    assert (last.name, last.level) == ("login", Level.FAIL) and "refuses the credential" in last.result
