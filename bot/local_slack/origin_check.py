"""Reject requests that do not come from this machine: foreign host names and other sites' pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def rejection_reason(request: web.Request) -> str | None:
    """Return the reason for rejecting a request, one sentence; None if it is accepted.

    A foreign Host header shows a name that was pointed at this machine (DNS rebinding); a foreign Origin or
    Sec-Fetch-Site shows a page of another site in a browser on this machine.
    """
    host = request.headers.get("Host", "")
    if urlsplit(f"//{host}").hostname not in LOOPBACK:
        return "This server answers only to 127.0.0.1 and localhost."
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        return "This server takes nothing from other sites."
    # A link on another site may open the page, but not fetch or send data.
    navigation = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("same-origin", "none") and not (navigation and not request.path.startswith("/sandbox/")):
        return "This server takes nothing from other sites."
    if request.path.startswith("/sandbox/") and request.method == "POST":
        if request.content_type != "application/json":
            return "Send application/json."
    elif request.path.startswith("/sandbox/") and request.method != "GET":
        return "Only GET and POST are known here."
    return None


@web.middleware
async def reject_foreign_origin(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Respond with 403 if `rejection_reason` returns a reason."""
    reason = rejection_reason(request)
    if reason is not None:
        return web.json_response({"ok": False, "error": reason}, status=403)
    return await handler(request)
