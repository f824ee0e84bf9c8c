"""Checks of the addresses in settings."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_secure_url(url: str) -> bool:
    """Return True if nobody can read what is sent to a URL: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))
    except ValueError:
        return False
