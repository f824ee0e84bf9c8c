"""The way of production: TLS and SCRAM in front of the embedded broker, which has neither itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from confluent_kafka import KafkaError
from hop.auth import Auth
from scramp import ScramException, ScramMechanism  # type: ignore[import-untyped]

from bot.sandbox.broker import EmbeddedBroker, publish
from bot.sources.check import check_broker
from bot.sources.credentials import group_id, load_auth, username_of
from bot.sources.hopskotch import HopskotchSource, Timing
from formatters.doctor import Level

TOPIC = "igwn.gwalert"
SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 17, 18, 36
SCRAM = "SCRAM-SHA-512"


class Gate:
    """Lets in who knows the password, then passes everything on."""

    def __init__(
        self, upstream: tuple[str, int], tls: ssl.SSLContext, receive: Callable[[socket.socket, int], bytes]
    ) -> None:
        self._upstream = upstream
        self._tls = tls
        self._receive = receive
        self._mechanism = ScramMechanism(SCRAM)
        self._secret = self._mechanism.make_auth_info("right", iteration_count=4096)

    def serve(self, plain: socket.socket) -> None:
        with (
            self._tls.wrap_socket(plain, server_side=True) as client,
            socket.create_connection(self._upstream) as broker,
        ):
            if self._let_in(client, broker):
                back = threading.Thread(target=self._pass, args=(broker, client), daemon=True)
                back.start()
                self._pass(client, broker)
                back.join()

    def _let_in(self, client: socket.socket, broker: socket.socket) -> bool:
        server = self._mechanism.make_server(lambda _: self._secret)
        while request := self._frame(client):
            key, version, correlation = struct.unpack_from(">hhi", request)
            if key == API_VERSIONS and version > 0:
                body = struct.pack(">hi", KafkaError.UNSUPPORTED_VERSION, 0)
            elif key == API_VERSIONS:
                broker.sendall(struct.pack(">i", len(request)) + request)
                known = self._frame(broker)[4:]
                if not known:
                    return False
                (count,) = struct.unpack_from(">i", known, 2)
                ours = struct.pack(">hhhhhh", SASL_HANDSHAKE, 0, 1, SASL_AUTHENTICATE, 0, 0)
                body = known[:2] + struct.pack(">i", count + 2) + known[6 : 6 + 6 * count] + ours
            elif key == SASL_HANDSHAKE:
                body = struct.pack(">hih", 0, 1, len(SCRAM)) + SCRAM.encode()
            else:
                assert key == SASL_AUTHENTICATE
                name = struct.unpack_from(">h", request, 8)[0]
                said = request[10 + name + 4 :].decode()
                try:
                    if server.stage is None:
                        server.set_client_first(said)
                        answer = server.get_server_first().encode()
                    else:
                        server.set_client_final(said)
                        answer = server.get_server_final().encode()
                    body = struct.pack(">hhi", 0, -1, len(answer)) + answer
                except ScramException:
                    body = struct.pack(">hhi", KafkaError.SASL_AUTHENTICATION_FAILED, -1, 0)
            client.sendall(struct.pack(">ii", 4 + len(body), correlation) + body)
            if key == SASL_AUTHENTICATE and body.endswith(b"=") and b"v=" in body:
                return True
        return False

    def _frame(self, connection: socket.socket) -> bytes:
        header = self._receive(connection, 4)
        return self._receive(connection, struct.unpack(">i", header)[0]) if header else b""

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def secured(
    listener: Callable[[Callable[[socket.socket], None]], AbstractContextManager[str]],
    receive: Callable[[socket.socket, int], bytes],
    certificate: tuple[Path, Path],
) -> Iterator[str]:
    """The URL of a topic with two payloads, behind TLS and SCRAM."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        publish(broker.url(TOPIC), b"one")
        publish(broker.url(TOPIC), b"two")
        host, port = broker.address.split(":")
        with listener(Gate((host, int(port)), tls, receive).serve) as address:
            broker.advertise("127.0.0.1", int(address.rpartition(":")[2]))
            yield f"kafka://{address}/{TOPIC}"


def write(auth_file: Path, password: str, certificate: tuple[Path, Path]) -> None:
    auth_file.write_text(
        f'[[auth]]\nusername = "jane"\npassword = "{password}"\nssl_ca_location = "{certificate[0]}"\n'
    )
    auth_file.chmod(0o600)


async def test_reads_with_hops_credential_and_goes_on_after_a_restart(
    secured: str, auth_file: Path, certificate: tuple[Path, Path]
) -> None:
    write(auth_file, "right", certificate)
    auth = load_auth(secured, "hop")
    assert isinstance(auth, Auth)
    for body in (b"one", b"two"):
        source = HopskotchSource(secured, group_id(username_of(auth), None), auth)
        async with asyncio.timeout(60):
            payload = await anext(source.payloads())
            assert payload.body == body
            await source.acknowledge(payload)
            await source.stop()


async def test_says_that_the_credential_is_refused(
    secured: str, auth_file: Path, certificate: tuple[Path, Path]
) -> None:
    write(auth_file, "wrong", certificate)
    source = HopskotchSource(secured, "jane-gwevent", True, timing=Timing(look_every=0.1, look_timeout=0.5))
    waiting = asyncio.ensure_future(anext(source.payloads()))
    async with asyncio.timeout(60):
        while "refuses the credential" not in source.status().detail:
            await asyncio.sleep(0.01)
        assert not source.status().connected
        await source.stop()
        with pytest.raises(StopAsyncIteration):
            await waiting


def test_the_doctor_knows_a_good_credential_from_a_refused_one(
    secured: str, auth_file: Path, certificate: tuple[Path, Path]
) -> None:
    write(auth_file, "right", certificate)
    assert {finding.level for finding in check_broker(secured, "hop", None)} == {Level.OK}
    write(auth_file, "wrong", certificate)
    last = check_broker(secured, "hop", None)[-1]
    assert (last.name, last.level) == ("login", Level.FAIL) and "refuses the credential" in last.found
