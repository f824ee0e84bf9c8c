# ruff: noqa: D102 - the settings explain themselves where they are defined
"""The credentials for Slack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackAccess:
    """The credentials with which the app calls Slack and Slack calls the app.

    One workspace has a bot token. Many workspaces need the app's client id and secret, and the keys that
    encrypt their tokens. With an app token the app opens the connection (Socket Mode); without one Slack
    sends HTTP requests, signed with the signing secret.
    """

    bot_token: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    keys: tuple[SecretStr, ...] = ()
    app_token: SecretStr | None = None
    signing_secret: SecretStr | None = None


class SettingsError(ValueError):
    """A setting that is missing or can't be used. The text can be shown: sentences without secrets."""


class SlackSettings(Protocol):
    """The settings about Slack."""

    @property
    def slack_bot_token(self) -> SecretStr | None: ...
    @property
    def slack_app_token(self) -> SecretStr | None: ...
    @property
    def slack_signing_secret(self) -> SecretStr | None: ...
    @property
    def slack_client_id(self) -> str | None: ...
    @property
    def slack_client_secret(self) -> SecretStr | None: ...
    @property
    def secret_keys(self) -> SecretStr | None: ...
    @property
    def token_keys(self) -> tuple[SecretStr, ...]: ...
    @property
    def public_url(self) -> str | None: ...
    @property
    def ops_team_and_channel(self) -> tuple[str | None, str | None]: ...


def choose_slack_access(settings: SlackSettings) -> SlackAccess:
    """Return the credentials for Slack. Raises SettingsError that names missing settings."""
    if settings.slack_client_id is not None:
        return _multi_workspace_access(settings)
    if settings.slack_bot_token is None:
        missing = ["SLACK_BOT_TOKEN"]
        if settings.slack_app_token is None and settings.slack_signing_secret is None:
            missing.append("SLACK_APP_TOKEN")
        raise _missing_settings_error(missing)
    if settings.slack_app_token is not None:
        return SlackAccess(bot_token=settings.slack_bot_token, app_token=settings.slack_app_token)
    if settings.slack_signing_secret is None:
        raise _missing_settings_error(["SLACK_APP_TOKEN"])
    if settings.public_url is None:
        raise SettingsError(
            "GWEVENT_PUBLIC_URL must be set where Slack sends requests (SLACK_SIGNING_SECRET without "
            "SLACK_APP_TOKEN); with SLACK_APP_TOKEN no public address is needed."
        )
    return SlackAccess(bot_token=settings.slack_bot_token, signing_secret=settings.slack_signing_secret)


def _multi_workspace_access(settings: SlackSettings) -> SlackAccess:
    assert settings.slack_client_id is not None
    if settings.slack_bot_token is not None:
        raise SettingsError(
            "SLACK_BOT_TOKEN is for one workspace and SLACK_CLIENT_ID for many: set one of them."
        )
    needed = {
        "SLACK_CLIENT_SECRET": settings.slack_client_secret,
        "GWEVENT_SECRET_KEYS": settings.secret_keys,
        "GWEVENT_PUBLIC_URL": settings.public_url,
    }
    if settings.slack_app_token is None:
        needed["SLACK_SIGNING_SECRET"] = settings.slack_signing_secret
    missing = [name for name, value in needed.items() if value is None]
    team, channel = settings.ops_team_and_channel
    if team is None and channel is not None:
        raise SettingsError(
            "GWEVENT_OPS_CHANNEL must name the workspace too where there are many, like "
            "T0123456789/C0123456789."
        )
    if settings.slack_client_secret is None or settings.secret_keys is None or missing:
        raise _missing_settings_error(missing)
    return SlackAccess(
        client_id=settings.slack_client_id,
        client_secret=settings.slack_client_secret,
        keys=settings.token_keys,
        app_token=settings.slack_app_token,
        signing_secret=settings.slack_signing_secret,
    )


def _missing_settings_error(names: list[str]) -> SettingsError:
    return SettingsError(f"{' and '.join(names)} must be set (deploy/README.md says where to find them).")
