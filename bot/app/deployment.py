"""Which settings file and which database a command works on: chosen in one place, and said."""

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
"""Names the settings file where `--env-file` doesn't."""
LOCAL_ENV_FILE = Path(".env")
SERVICE_ENV_FILE = Path("/etc/gwevent/env")
"""Where README's systemd unit has its settings."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a command was told."""

    settings: Settings
    env_file: Path | None
    """The settings file; None where the environment alone holds settings."""

    @property
    def description(self) -> str:
        """The settings file and the database, without a secret. Raises SettingsError."""
        file = "no settings file" if self.env_file is None else f"settings file {self.env_file}"
        return f"{file}, database {displayed_url(self.settings.effective_database_url)}"


def open_deployment(named: Path | None) -> Deployment:
    """Read the settings of the file that is named, by the option or by GWEVENT_ENV_FILE, else of `.env` here.

    The environment wins over the file. Of a named file, what is no setting (a proxy, HOME) holds for this
    process too where the environment doesn't have it, as systemd does it. Raises SettingsError.
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
    """Names that mean to be settings and are none: (what is wrong, what to do), a sentence each."""
    found = []
    for name in unknown_setting_names(env_file):
        near = get_close_matches(name.upper(), setting_names(), n=1)
        advice = f"Is {near[0]} meant?" if near else "deploy/example.env lists all settings."
        found.append((f"{name} is no setting.", advice))
    return found


def displayed_url(database: str) -> str:
    """A database's URL without its password; a file by its path."""
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        # It may be all password; why it can't be used is said by who opens it.
        return "that can't be used"
    if url.get_backend_name() == "sqlite" and url.database:
        return str(url.database)
    return f"{url.get_backend_name()}://{url.username or ''}@{url.host or ''}/{url.database or ''}"


def missing_database_error(database: str) -> SettingsError:
    """There is no gwevent's database where a command was to read one."""
    elsewhere = ""
    if (
        not any(os.environ.get(name) for name in (ENV_FILE_VARIABLE, "GWEVENT_DATABASE_URL"))
        and SERVICE_ENV_FILE.exists()
    ):
        elsewhere = (
            f" {SERVICE_ENV_FILE} has a service's settings: gwevent --env-file {SERVICE_ENV_FILE} reads them."
        )
    return SettingsError(
        f"There is no gwevent's database at {displayed_url(database)}, and this command makes none; name "
        f"the bot's settings with --env-file.{elsewhere}"
    )


def _settings_file(named: Path | None) -> Path | None:
    given = named or (Path(os.environ[ENV_FILE_VARIABLE]) if os.environ.get(ENV_FILE_VARIABLE) else None)
    if given is None:
        try:
            return LOCAL_ENV_FILE if LOCAL_ENV_FILE.is_file() else None
        except OSError:
            # A folder that this user may not look into, as after sudo.
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
