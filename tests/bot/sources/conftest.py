"""Loopback servers with and without TLS, and a place for hop's credentials."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest


@pytest.fixture
def auth_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hop looks for auth.toml; it isn't there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "hop").mkdir()
    return tmp_path / "hop" / "auth.toml"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1 and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return certificate, key


@pytest.fixture
def listener() -> Callable[[Callable[[socket.socket], None]], AbstractContextManager[str]]:
    """A loopback port whose every connection is given to a function; yields its address."""

    @contextlib.contextmanager
    def listen(serve: Callable[[socket.socket], None]) -> Iterator[str]:
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

    return listen


@pytest.fixture
def receive() -> Callable[[socket.socket, int], bytes]:
    """Reads exactly so many bytes, or none where the other side has gone; MSG_WAITALL isn't for TLS."""

    def receive_exactly(connection: socket.socket, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = connection.recv(size - len(found))
            if not part:
                return b""
            found += part
        return found

    return receive_exactly
