"""The app's manifest for HTTP mode: the one for Socket Mode, and Slack's way in by an address."""

import copy
from typing import Any

import jsonschema
import pytest
import yaml

from tests.test_manifest import LIMITS, ROOT

ADDRESS = "https://gwevent.example.org"
REQUESTS = f"{ADDRESS}/slack/events"
INSTALLED_EVENTS = {"app_uninstalled", "tokens_revoked"}
"""Needed where workspaces come and go by themselves; they take no scope."""


def limits() -> dict[str, Any]:
    """Slack's limits with the keys that only HTTP mode has."""
    url = {"type": "string", "pattern": "^https://", "maxLength": 500}
    extended = copy.deepcopy(LIMITS)
    parts: Any = extended["properties"]
    parts["features"]["properties"]["slash_commands"]["items"]["properties"]["url"] = url
    parts["oauth_config"]["properties"]["redirect_urls"] = {"type": "array", "maxItems": 1000, "items": url}
    parts["settings"]["properties"]["event_subscriptions"]["properties"]["request_url"] = url
    parts["settings"]["properties"]["interactivity"]["properties"]["request_url"] = url
    return extended


def manifest(name: str) -> Any:
    return yaml.safe_load((ROOT / "deploy" / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def by_http() -> Any:
    return manifest("slack-manifest-http.yaml")


def test_keeps_slacks_limits(by_http: Any) -> None:
    jsonschema.validate(by_http, limits())


def test_differs_from_socket_mode_by_its_addresses_and_by_workspaces_that_leave(by_http: Any) -> None:
    rest = copy.deepcopy(by_http)
    [command] = rest["features"]["slash_commands"]
    settings = rest["settings"]
    assert command.pop("url") == REQUESTS
    assert settings["event_subscriptions"].pop("request_url") == REQUESTS
    assert settings["interactivity"].pop("request_url") == REQUESTS
    assert rest["oauth_config"].pop("redirect_urls") == [f"{ADDRESS}/slack/oauth_redirect"]
    assert settings.pop("socket_mode_enabled") is False

    socket_mode = manifest("slack-manifest.yaml")
    assert socket_mode["settings"].pop("socket_mode_enabled") is True
    both: tuple[list[str], list[str]] = (
        settings["event_subscriptions"].pop("bot_events"),
        socket_mode["settings"]["event_subscriptions"].pop("bot_events"),
    )
    assert set(both[0]) == set(both[1]) | INSTALLED_EVENTS
    assert rest == socket_mode


def test_says_how_often_the_address_is_to_be_changed() -> None:
    text = (ROOT / "deploy" / "slack-manifest-http.yaml").read_text("utf-8")
    assert "all four times" in text
    assert sum(ADDRESS in line for line in text.splitlines() if not line.startswith("#")) == 4
