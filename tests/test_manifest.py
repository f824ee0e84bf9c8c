"""The app's manifest: sound by Slack's limits, and what the code needs, no less and no more."""

import ast
import re
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import jsonschema
import pytest
import yaml
from slack_bolt.async_app import AsyncApp

from bot.listeners.registration import register_listeners
from bot.local_slack import app_manifest
from bot.local_slack.web_api.dispatcher import METHODS
from bot.slack.scopes import ADVISED_SCOPES, BOT_SCOPES, OPT_IN_SCOPES, REQUIRED_SCOPES, ROLE_SCOPES, SCOPES
from tests.support.source_tree import syntax_nodes

ROOT = Path(__file__).resolve().parents[1]
OPTIONAL = {"channels:history", "groups:history", "users:read"}
"""Scopes that the manifest names in a comment only."""

LIMITS = {
    "type": "object",
    "required": ["display_information", "features", "oauth_config", "settings"],
    "additionalProperties": False,
    "properties": {
        "_metadata": {"properties": {"major_version": {"type": "integer"}}, "additionalProperties": False},
        "display_information": {
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "maxLength": 35},
                "description": {"type": "string", "maxLength": 140},
                "long_description": {"type": "string", "minLength": 175, "maxLength": 4000},
                "background_color": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
            },
        },
        "features": {
            "additionalProperties": False,
            "properties": {
                "app_home": {
                    "additionalProperties": False,
                    "properties": {
                        "home_tab_enabled": {"type": "boolean"},
                        "messages_tab_enabled": {"type": "boolean"},
                        "messages_tab_read_only_enabled": {"type": "boolean"},
                    },
                },
                "bot_user": {
                    "required": ["display_name"],
                    "additionalProperties": False,
                    "properties": {
                        "display_name": {"type": "string", "maxLength": 80, "pattern": "^[a-z0-9._-]+$"},
                        "always_online": {"type": "boolean"},
                    },
                },
                "slash_commands": {
                    "type": "array",
                    "maxItems": 50,
                    "items": {
                        "required": ["command", "description"],
                        "additionalProperties": False,
                        "properties": {
                            "command": {"type": "string", "maxLength": 32, "pattern": "^/[a-z0-9_-]+$"},
                            "description": {"type": "string", "maxLength": 2000},
                            "usage_hint": {"type": "string", "maxLength": 1000},
                            "should_escape": {"type": "boolean"},
                        },
                    },
                },
            },
        },
        "oauth_config": {
            "additionalProperties": False,
            "properties": {
                "scopes": {
                    "additionalProperties": False,
                    "properties": {
                        "bot": {
                            "type": "array",
                            "maxItems": 255,
                            "uniqueItems": True,
                            "items": {"type": "string", "pattern": r"^[a-z_.]+(:[a-z_.]+)*$"},
                        }
                    },
                }
            },
        },
        "settings": {
            "additionalProperties": False,
            "properties": {
                "event_subscriptions": {
                    "additionalProperties": False,
                    "properties": {
                        "bot_events": {
                            "type": "array",
                            "maxItems": 100,
                            "uniqueItems": True,
                            "items": {"type": "string", "pattern": "^[a-z_.]+$"},
                        }
                    },
                },
                "interactivity": {
                    "additionalProperties": False,
                    "properties": {"is_enabled": {"type": "boolean"}},
                },
                "socket_mode_enabled": {"type": "boolean"},
                "org_deploy_enabled": {"type": "boolean"},
                "token_rotation_enabled": {"type": "boolean"},
            },
        },
    },
}
"""What https://docs.slack.dev/reference/app-manifest says of the keys that are used here."""

SCOPE_OF_EVENT = {
    "app_home_opened": set[str](),
    "app_mention": {"app_mentions:read"},
    "channel_id_changed": {"channels:read", "groups:read"},
    "channel_unarchive": {"channels:read"},
    "group_unarchive": {"groups:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "message.im": {"im:history"},
}
"""What an event is delivered for, from its page under https://docs.slack.dev/reference/events."""

SCOPE_OF_METHOD = {
    "chat.getPermalink": set(),
    "auth.test": set[str](),
    "chat.delete": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write", "chat:write.public"},
    "chat.update": {"chat:write"},
    "files.completeUploadExternal": {"files:write"},
    "files.delete": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "conversations.history": {"channels:history", "groups:history"},
    "conversations.info": {"channels:read", "groups:read"},
    "conversations.members": {"channels:read", "groups:read"},
    "conversations.replies": {"channels:history", "groups:history"},
    "users.info": {"users:read"},
    "users.conversations": {"channels:read", "groups:read"},
    "views.open": set[str](),
    "views.publish": set[str](),
    "views.update": set[str](),
    # An app-level token's own scope, connections:write: no bot scope.
    "apps.connections.open": set[str](),
    "api.test": set[str](),
}
"""What a method is called with, from its page under https://docs.slack.dev/reference/methods."""


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((ROOT / "deploy" / "slack-manifest.yaml").read_text("utf-8")))


@pytest.fixture(scope="module")
def scopes(manifest: dict[str, Any]) -> set[str]:
    return set(manifest["oauth_config"]["scopes"]["bot"])


def listened_to() -> dict[str, set[str]]:
    """Kind ("command", "event" …) -> the names for which a listener is registered; no patterns."""
    found: dict[str, set[str]] = {"command": set(), "event": set(), "action": set(), "view": set()}

    class Recorder:
        def __getattr__(self, kind: str) -> Any:
            def decorator(what: Any, **_: Any) -> Any:
                if isinstance(what, str):
                    found[kind].add(what)
                return lambda listener: listener

            return decorator

    register_listeners(cast(AsyncApp, Recorder()), cast(Any, Mock()))
    return found


def called_methods() -> set[str]:
    """The Web API methods that the bot names: as "chat.update", or as slack_sdk's chat_update."""
    families = "|".join({"apps"} | {method.split(".")[0] for method in METHODS})
    found = set()
    for path in (ROOT / "bot").rglob("*.py"):
        if "local_slack" in path.parts:
            continue
        for node in syntax_nodes(path):
            if isinstance(node, ast.Constant) and re.fullmatch(
                rf"(api|{families})(\.[a-zA-Z]+)+", str(node.value)
            ):
                found.add(str(node.value))
            elif isinstance(node, ast.Attribute) and re.fullmatch(rf"({families})_[a-zA-Z_]+", node.attr):
                found.add(node.attr)
    return {PYTHON_NAMES.get(_squeezed(name), name) for name in found}


def _squeezed(method: str) -> str:
    return re.sub(r"[._]", "", method).lower()


PYTHON_NAMES = {_squeezed(method): method for method in SCOPE_OF_METHOD}
"""chatpostephemeral -> chat.postEphemeral."""


def test_keeps_slacks_limits(manifest: dict[str, Any]) -> None:
    jsonschema.validate(manifest, LIMITS)


def test_has_every_command_the_code_answers_and_no_other(manifest: dict[str, Any]) -> None:
    commands = {command["command"] for command in manifest["features"]["slash_commands"]}
    assert commands == listened_to()["command"]


def test_manifest_subscribes_to_exactly_the_handled_events(manifest: dict[str, Any]) -> None:
    # A manifest names the conversations, a listener the event that all of them bring.
    events = {name.partition(".")[0] for name in manifest["settings"]["event_subscriptions"]["bot_events"]}
    assert events == listened_to()["event"]


def test_doctor_says_that_direct_messages_take_another_installation() -> None:
    assert "install the app again" in ADVISED_SCOPES["im:history"]


def test_direct_messages_alone_are_subscribed_to_and_can_be_written(manifest: dict[str, Any]) -> None:
    events = manifest["settings"]["event_subscriptions"]["bot_events"]
    assert [name for name in events if name.startswith("message")] == ["message.im"]
    app_home = manifest["features"]["app_home"]
    assert app_home["messages_tab_enabled"] and not app_home["messages_tab_read_only_enabled"]


def test_buttons_press(manifest: dict[str, Any]) -> None:
    assert listened_to()["action"] and listened_to()["view"]
    assert manifest["settings"]["interactivity"]["is_enabled"] is True


def test_the_home_tab_is_on(manifest: dict[str, Any]) -> None:
    assert manifest["features"]["app_home"]["home_tab_enabled"] is True


def test_socket_mode_is_on(manifest: dict[str, Any]) -> None:
    assert manifest["settings"]["socket_mode_enabled"] is True


def test_each_event_and_method_has_its_scopes_and_no_scope_is_idle(
    manifest: dict[str, Any], scopes: set[str]
) -> None:
    methods = called_methods()
    assert {"chat.postMessage", "chat.update", "chat.postEphemeral", "auth.test"} <= methods
    needed = {"commands"}
    for event in manifest["settings"]["event_subscriptions"]["bot_events"]:
        needed |= SCOPE_OF_EVENT[event]
    for method in methods:
        needed |= SCOPE_OF_METHOD[method]
    assert needed - OPTIONAL == scopes


def test_the_local_slack_asks_for_the_same_scopes() -> None:
    for name, scopes in SCOPE_OF_METHOD.items():
        if name in METHODS and METHODS[name].scope is not None:
            assert METHODS[name].scope in scopes, name


def test_the_scopes_of_manifest_oauth_doctor_and_local_slack_are_the_same(scopes: set[str]) -> None:
    assert scopes == set(BOT_SCOPES) == app_manifest.SCOPES
    assert scopes >= REQUIRED_SCOPES | set(ADVISED_SCOPES)
    assert OPT_IN_SCOPES == OPTIONAL
    assert all(set(needed) <= set(SCOPES) for needed in ROLE_SCOPES.values())


@pytest.mark.parametrize("name", ["slack-manifest.yaml", "slack-manifest-http.yaml"])
def test_optional_scopes_are_there_to_uncomment(name: str) -> None:
    text = (ROOT / "deploy" / name).read_text("utf-8")
    assert set(re.findall(r"^ +# - (\S+)$", text, re.MULTILINE)) == OPTIONAL


def test_the_local_slack_has_the_same_slash_command(manifest: dict[str, Any]) -> None:
    [command] = manifest["features"]["slash_commands"]
    local = app_manifest.GWEVENT
    assert command == {
        "command": local.command,
        "description": local.description,
        "usage_hint": local.usage_hint,
        "should_escape": local.should_escape,
    }


def test_each_operator_reads_why_a_scope_is_asked_for(scopes: set[str]) -> None:
    explained = (ROOT / "deploy" / "README.md").read_text("utf-8")
    assert {scope for scope in scopes | OPTIONAL if f"`{scope}`" not in explained} == set()
