"""Fixtures: loopback servers with and without TLS, and a file for hop's credentials."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.tls_proxy import listen_on_loopback, make_certificate, read_exactly


@pytest.fixture
def auth_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path at which hop looks for auth.toml; the file does not exist yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "hop").mkdir()
    return tmp_path / "hop" / "auth.toml"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the paths of a self-signed certificate for 127.0.0.1 and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl here (Debian, Ubuntu: apt-get install openssl)")
    return make_certificate(openssl, tmp_path_factory.mktemp("tls"))


@pytest.fixture
def listener() -> Callable[[Callable[[socket.socket], None]], AbstractContextManager[str]]:
    """Listen on a loopback port, pass every connection to a function, and yield the address."""
    return listen_on_loopback


@pytest.fixture(name="receive")
def receive_exactly() -> Callable[[socket.socket, int], bytes]:
    """Return the function `read_exactly`, which reads a given number of bytes."""
    return read_exactly
