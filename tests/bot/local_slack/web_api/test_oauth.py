"""The local Slack's installing: codes, secrets, scopes, and requests that are signed."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.server import LocalSlack

BACK = "http://127.0.0.1:9/back"


async def consent(local_slack: LocalSlack, team: str, **changed: str) -> str:
    """Allow the app in a workspace; the code that the browser brings back."""
    asked = {
        "client_id": local_slack.oauth.client_id,
        "scope": "chat:write,commands",
        "redirect_uri": BACK,
        "state": "s",
        "team": team,
    } | changed
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{local_slack.url}/oauth/v2/allow", params=asked, allow_redirects=False) as response,
    ):
        if response.status != 302:
            return f"{response.status} {await response.text()}"
        query = parse_qs(urlsplit(response.headers["Location"]).query)
        assert query["state"] == ["s"]
        return query["code"][0]


async def exchange(local_slack: LocalSlack, code: str, **changed: str) -> Any:
    given = {
        "client_id": local_slack.oauth.client_id,
        "client_secret": local_slack.oauth.client_secret,
        "code": code,
        "redirect_uri": BACK,
    } | changed
    return await AsyncWebClient(base_url=local_slack.api_url).oauth_v2_access(**given)


async def test_a_code_becomes_a_token_once(local_slack: LocalSlack) -> None:
    workspace = local_slack.add_team("Telescope", installed=False)
    person = workspace.add_user("installer")
    code = await consent(local_slack, workspace.id)
    answer = await exchange(local_slack, code)
    assert answer["team"] == {"id": workspace.id, "name": "Telescope"}
    assert (answer["authed_user"]["id"], answer["scope"]) == (person.id, "chat:write,commands")
    me = await AsyncWebClient(answer["access_token"], base_url=local_slack.api_url).auth_test()
    assert me["team_id"] == workspace.id and me.headers["x-oauth-scopes"] == "chat:write,commands"
    with pytest.raises(SlackApiError, match="invalid_code"):
        await exchange(local_slack, code)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_secret": "wrong"}, "bad_client_secret"),
        ({"client_id": "1.2"}, "invalid_client_id"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, "bad_redirect_uri"),
    ],
)
async def test_rejected_token_requests(local_slack: LocalSlack, changed: dict[str, str], error: str) -> None:
    code = await consent(local_slack, local_slack.team_id)
    with pytest.raises(SlackApiError, match=error):
        await exchange(local_slack, code, **changed)


async def test_rejected_authorization_requests(local_slack: LocalSlack) -> None:
    assert await consent(local_slack, local_slack.team_id, scope="admin") == "400 invalid_scope"
    assert await consent(local_slack, local_slack.team_id, client_id="x") == "400 invalid_client_id"
    assert await consent(local_slack, "T0NOBODY") == "400 team_not_found"


async def test_no_events_without_installation(local_slack: LocalSlack) -> None:
    workspace = local_slack.add_team("Telescope", installed=False)
    workspace.add_user("somebody")
    channel = local_slack.add_channel("gw", team=workspace.id)
    done = await local_slack.command("/gwevent", "latest", channel=channel)
    assert done.error == "invalid_command"
    assert local_slack.envelopes == []


async def test_requests_are_signed_and_the_address_is_challenged(local_slack: LocalSlack) -> None:
    seen: list[tuple[str, bool]] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.text()
        verifier = SignatureVerifier(local_slack.delivery.signing_secret)
        seen.append((request.content_type, verifier.is_valid_request(body, dict(request.headers))))
        if request.content_type == "application/json":
            return web.json_response({"challenge": (await request.json()).get("challenge")})
        return web.Response()

    application = web.Application()
    application.router.add_post("/slack/events", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await local_slack.deliver_to(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events")
    done = await local_slack.command("/gwevent", "latest", channel=local_slack.add_channel("gw"))
    assert done.ok and done.acked_after is not None
    assert seen == [("application/json", True), ("application/x-www-form-urlencoded", True)]
    await runner.cleanup()
    unheard = await local_slack.command("/gwevent", "", channel=local_slack.add_channel("g2"))
    assert unheard.error == "dispatch_failed"
    with pytest.raises(ValueError, match="doesn't answer the challenge"):
        await local_slack.deliver_to("http://127.0.0.1:9/slack/events")
