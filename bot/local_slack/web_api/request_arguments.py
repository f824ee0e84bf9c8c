"""The arguments in a request to the Web API: in the query, a form, or JSON where the method takes it."""

from __future__ import annotations

from aiohttp import web

from bot.local_slack.errors import ApiError, Json


async def request_arguments(request: web.Request, *, takes_json: bool) -> Json:
    """Return the arguments that a method sees.

    A method that doesn't take JSON sees nothing of such a body, not even that it is malformed, and so answers
    as if the arguments had been left out. That was seen of Slack in 2026: `conversations.replies` and
    `files.getUploadURLExternal` answered `invalid_arguments` ("missing required field"), `users.info`
    answered `user_not_found`, and `users.list` answered with all its users whatever the limit was.
    Unverified: that the other methods without JSON do the same, and that malformed JSON makes no difference
    to them.

    Raises ApiError `invalid_json` or `json_not_object` for the body of a method that takes JSON.
    """
    args: Json = dict(request.query)
    if request.method != "POST":
        return args
    if request.content_type != "application/json":
        return args | dict(await request.post())
    if not takes_json:
        return args
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        raise ApiError("invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError("json_not_object")
    return args | {key: value for key, value in body.items() if value is not None}
