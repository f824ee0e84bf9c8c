"""Handling of other servers' HTTP answers: Retry-After, and redirects that aren't trusted."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

NO_WAIT_RETRY_AFTER_S = 1.0
"""Wait where an answer names no seconds, or a time that is over: else it is asked again and again at once."""
MAX_RETRY_AFTER_S = 3_600.0

_DEFAULT_PORTS = {"http": 80, "https": 443}


class RefusedRedirect(ValueError):
    """A redirect that isn't followed. The text goes on after the server's name, as a sentence."""


def resolve_redirect(base_url: str, url: str, location: str) -> str:
    """Return the URL of a redirect on `base_url`'s own server. Raises RefusedRedirect for any other.

    An answer is not trusted: a redirect elsewhere could reach servers in the operator's own network, and take
    a token there.
    """
    try:
        base, further = urlsplit(base_url), urlsplit(urljoin(url, location))
        own, target = (
            (one.scheme, one.hostname, one.port or _DEFAULT_PORTS.get(one.scheme)) for one in (base, further)
        )
    except ValueError:
        raise RefusedRedirect("sends us to an address that is none.") from None
    # If the operator set http, a redirect to https on the same host is fine.
    https = ("https", base.hostname, 443)
    if target not in (own, https) or further.username is not None or further.password is not None:
        raise RefusedRedirect("sends us to an address that isn't its own, and nothing is asked there.")
    return further.geturl()


def parse_retry_after(header: str | None) -> float | None:
    """Parse a Retry-After header in either form of RFC 9110, 10.2.3; return seconds, None if unusable.

    Decimals are read too. The result is more than 0 and at most MAX_RETRY_AFTER_S.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            at = parsedate_to_datetime(header)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            seconds = (at - datetime.now(UTC)).total_seconds()
        except (ValueError, OverflowError):
            return None
    if math.isnan(seconds):
        return None
    return min(seconds, MAX_RETRY_AFTER_S) if seconds > 0 else NO_WAIT_RETRY_AFTER_S
