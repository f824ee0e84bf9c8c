"""Checks of the addresses in settings."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def is_secure_url(url: str) -> bool:
    """Return True if nobody can read what is sent to a URL: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))
    except ValueError:
        return False


def check_kafka_url(url: str) -> None:
    """Raise ValueError, whose text can be shown, unless a URL is that of topics on a Kafka broker."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "kafka" and parts.hostname and parts.path.strip("/") and parts.port != 0
        secret = parts.password is not None
    except ValueError:
        known = secret = False
    if secret:
        raise ValueError("it must hold no password: hop auth add keeps that")
    if not known:
        raise ValueError("it must look like kafka://host[:port]/topic")


def _check_secure(url: str) -> str:
    if not is_secure_url(url):
        raise ValueError("it must be an https address (http only on this machine)")
    return url


SecureUrl = Annotated[str, AfterValidator(_check_secure)]
"""An https address, or http on this machine."""
