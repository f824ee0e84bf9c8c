"""A proxy that adds TLS and SCRAM to the embedded broker, which supports neither."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from confluent_kafka import KafkaError
from scramp import ScramException, ScramMechanism  # type: ignore[import-untyped]

SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 17, 18, 36
SCRAM = "SCRAM-SHA-512"


class SaslProxy:
    """A proxy that authenticates clients by password, then forwards all data."""

    def __init__(self, upstream: tuple[str, int], certificate: tuple[Path, Path], password: str) -> None:
        """Create a proxy; `certificate` is the paths of certificate and key."""
        self._upstream = upstream
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*certificate)
        self._mechanism = ScramMechanism(SCRAM)
        self.set_password(password)

    def set_password(self, password: str) -> None:
        """Change the password for new connections; all others are rejected."""
        self._secret = self._mechanism.make_auth_info(password, iteration_count=4096)

    def serve(self, plain: socket.socket) -> None:
        with (
            self._tls.wrap_socket(plain, server_side=True) as client,
            socket.create_connection(self._upstream) as broker,
        ):
            if self._authenticate(client, broker):
                back = threading.Thread(target=self._forward, args=(broker, client), daemon=True)
                back.start()
                self._forward(client, broker)
                back.join()

    def _authenticate(self, client: socket.socket, broker: socket.socket) -> bool:
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
        header = read_exactly(connection, 4)
        return read_exactly(connection, struct.unpack(">i", header)[0]) if header else b""

    @staticmethod
    def _forward(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """Read exactly `size` bytes, or none if the peer has closed; TLS sockets do not support MSG_WAITALL."""
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            return b""
        found += part
    return found


@contextlib.contextmanager
def listen_on_loopback(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on a loopback port, pass every connection to a function, and yield the address."""

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def make_certificate(openssl: str, folder: Path) -> tuple[Path, Path]:
    """Create a self-signed certificate for 127.0.0.1 and its key with the program openssl."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return certificate, key
