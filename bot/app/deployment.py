"""The settings file and the database that a command works on."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.settings import Settings, SettingsError, setting_names, unknown_setting_names

ENV_FILE_VARIABLE = "GWEVENT_ENV_FILE"
"""The environment variable that names the settings file if `--env-file` is not given."""
LOCAL_ENV_FILE = Path(".env")
SERVICE_ENV_FILE = Path("/etc/gwevent/env")
"""The settings file of README's systemd unit."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The settings of a command and the file that they were read from."""

    settings: Settings
    env_file: Path | None
    """The settings file; None if the settings come from the environment only."""

    @property
    def description(self) -> str:
        """The settings file and the database in words, without secrets. Raises SettingsError."""
        file = "no settings file" if self.env_file is None else f"settings file {self.env_file}"
        return f"{file}, database {displayed_url(self.settings.effective_database_url)}"


def open_deployment(named: Path | None) -> Deployment:
    """Read the settings from the file of `--env-file` or GWEVENT_ENV_FILE, or from `.env` in this folder.

    Environment variables take precedence over the file. Variables of a named file that are not settings (a
    proxy, HOME) are set for this process unless the environment has them, as systemd's EnvironmentFile does.
    Raises SettingsError.
    """
    file = _settings_file(named)
    settings = Settings.load(file)
    if file is not None and file != LOCAL_ENV_FILE:
        own = set(setting_names())
        for name, value in dotenv_values(file).items():
            if value is not None and name not in own and not name.startswith("GWEVENT_"):
                os.environ.setdefault(name, value)
    return Deployment(settings, file)


def setting_problems(env_file: Path | None) -> list[tuple[str, str]]:
    """Return (problem, advice) for every variable that looks like a setting of gwevent but is none."""
    found = []
    for name in unknown_setting_names(env_file):
        near = get_close_matches(name.upper(), setting_names(), n=1)
        advice = f"Is {near[0]} meant?" if near else "deploy/example.env lists all settings."
        found.append((f"{name} is no setting.", advice))
    return found


def displayed_url(database: str) -> str:
    """Return a database URL without its password; for SQLite, the path of the file."""
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        # The text may be a password. Opening the database reports why the URL is invalid.
        return "that can't be used"
    if url.get_backend_name() == "sqlite" and url.database:
        return str(url.database)
    return f"{url.get_backend_name()}://{url.username or ''}@{url.host or ''}/{url.database or ''}"


def missing_database_error(database: str) -> SettingsError:
    """Return the error of a command that reads a database which does not exist."""
    elsewhere = ""
    if (
        not any(os.environ.get(name) for name in (ENV_FILE_VARIABLE, "GWEVENT_DATABASE_URL"))
        and SERVICE_ENV_FILE.exists()
    ):
        elsewhere = (
            f" {SERVICE_ENV_FILE} has a service's settings: gwevent --env-file {SERVICE_ENV_FILE} reads them."
        )
    return SettingsError(
        f"No gwevent database at {displayed_url(database)}, and this command makes none; name "
        f"the bot's settings with --env-file.{elsewhere}"
    )


def _settings_file(named: Path | None) -> Path | None:
    given = named or (Path(os.environ[ENV_FILE_VARIABLE]) if os.environ.get(ENV_FILE_VARIABLE) else None)
    if given is None:
        try:
            return LOCAL_ENV_FILE if LOCAL_ENV_FILE.is_file() else None
        except OSError:
            # The user may not read this folder, for example after sudo.
            return None
    by = "--env-file" if named is not None else ENV_FILE_VARIABLE
    try:
        with given.open("rb"):
            return given
    except PermissionError as error:
        raise SettingsError(f"{by} {given} can't be read by this user{_owner_hint(given)}.") from error
    except OSError as error:
        raise SettingsError(f"{by} {given} can't be read: {error.strerror}.") from error


def _owner_hint(path: Path) -> str:
    try:
        owner = pwd.getpwuid(path.stat().st_uid).pw_name
    except (OSError, KeyError):
        return ""
    return f"; it is {owner}'s: sudo -u {owner} gwevent --env-file {path} …"
