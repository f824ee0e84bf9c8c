"""Nobody but this machine: no foreign name for this server, no page of another site that drives it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def rejection_reason(request: web.Request) -> str | None:
    """Why a request isn't answered, in one sentence; None where it is.

    A foreign Host is a name that somebody pointed at this machine (DNS rebinding); a foreign Origin or
    Sec-Fetch-Site is another site's page in a browser of this machine.
    """
    host = request.headers.get("Host", "")
    if urlsplit(f"//{host}").hostname not in LOOPBACK:
        return "This server answers only to 127.0.0.1 and localhost."
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        return "This server takes nothing from other sites."
    # A link from elsewhere may open the page; it may not fetch or send anything.
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
    """Answer 403 where `refusal` has a reason."""
    reason = rejection_reason(request)
    if reason is not None:
        return web.json_response({"ok": False, "error": reason}, status=403)
    return await handler(request)
