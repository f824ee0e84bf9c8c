"""Checks of the addresses in settings."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

TREASURE_MAP_URL = "https://treasuremap.space/api/v1/"
"""The service to which groups report what they point at."""


def is_secure_url(url: str) -> bool:
    """Return True if nobody can read what is sent to a URL: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))
    except ValueError:
        return False


def check_secure_url(url: str) -> str:
    """Return a URL that `is_secure_url` is true of. Raises ValueError, whose text can be shown."""
    if not is_secure_url(url):
        raise ValueError("it must be an https address (http only on this machine)")
    return url


def check_kafka_url(url: str) -> str:
    """Return a URL that is that of topics on a Kafka broker. Raises ValueError, whose text can be shown."""
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
    return url


SecureUrl = Annotated[str, AfterValidator(check_secure_url)]
"""An https address, or http on this machine."""
KafkaUrl = Annotated[str, AfterValidator(check_kafka_url)]
"""Topics on a Kafka broker."""
