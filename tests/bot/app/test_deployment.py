"""The settings file and the database that a command works on, and what it prints about them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.app import deployment
from bot.cli.main import app
from bot.settings import setting_names, unknown_setting_names

Run = Callable[..., Result]
READERS = (
    ["export"],
    ["ask", "latest"],
    ["replay", "--quarantine"],
    ["replay", "--quarantine", "--dry-run"],
    ["rotate-keys"],
)
"""Commands that have nothing to do where no bot was."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command without settings, in an empty folder and with an empty data directory."""
    for name in list(os.environ):
        if name.startswith(("SLACK_", "GWEVENT_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.setattr(deployment, "SERVICE_ENV_FILE", tmp_path / "etc" / "env")
    monkeypatch.chdir(home)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def service(tmp_path: Path, text: str = "") -> Path:
    """A service's settings file, with a database beside it."""
    file = tmp_path / "etc" / "env"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"GWEVENT_DATABASE_URL=sqlite:///{tmp_path / 'service.sqlite'}\nGWEVENT_GRACEDB_URL=off\n{text}"
    )
    file.chmod(0o600)
    return file


def used(run: Run, tmp_path: Path, file: Path) -> None:
    given = tmp_path / "given.json"
    row = {"words": "CBC", "created_by": "U1", "created_at": "2026-11-22T12:00:00+00:00"}
    channels = [{"team": "T1", "channel": "C1", "subscriptions": [row]}]
    given.write_text(json.dumps({"gwevent_export": 1, "channels": channels}))
    assert run("--env-file", file, "import", given).exit_code == 0


@pytest.mark.parametrize("arguments", READERS)
def test_reading_command_creates_no_database_and_names_the_service_database(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    file = service(tmp_path, "GWEVENT_SECRET_KEYS=x\n")
    found = run(*arguments)
    assert found.exit_code == 2 and found.stdout == ""
    if arguments != ["rotate-keys"]:
        assert f"gwevent --env-file {file}" in found.stderr
    assert not list(tmp_path.rglob("*.sqlite*")), "nothing was made"
    named = run("--env-file", file, *arguments)
    assert (
        named.exit_code == 2
        and f"settings file {file}, database {tmp_path / 'service.sqlite'}" in named.stderr
    )
    assert not list(tmp_path.rglob("*.sqlite*"))


def test_doctor_reports_a_missing_database_and_creates_none(run: Run, tmp_path: Path) -> None:
    file = service(
        tmp_path, "GWEVENT_KAFKA_URL=kafka://127.0.0.1:1/x\nGWEVENT_KAFKA_AUTH=off\nGWEVENT_SOURCES=gcn\n"
    )
    found = run("--env-file", file, "doctor")
    assert "No gwevent has made one" in found.stdout and "--env-file" in found.stdout
    assert not list(tmp_path.rglob("*.sqlite*"))


@pytest.mark.parametrize("by", ["option", "variable", "folder"])
def test_export_is_of_the_named_deployment(
    run: Run, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = service(tmp_path)
    used(run, tmp_path, file)
    if by == "variable":
        monkeypatch.setenv("GWEVENT_ENV_FILE", str(file))
    if by == "folder":
        (Path.cwd() / ".env").write_text(file.read_text())
    found = run(*(["--env-file", str(file)] if by == "option" else []), "export")
    assert found.exit_code == 0 and json.loads(found.stdout)["channels"][0]["channel"] == "C1"
    assert found.stderr.count("\n") == 1 and f"database {tmp_path / 'service.sqlite'}." in found.stderr
    assert ("settings file .env" if by == "folder" else str(file)) in found.stderr


@pytest.mark.slow
def test_export_of_a_never_used_database_is_refused(run: Run, tmp_path: Path) -> None:
    file = service(tmp_path)
    assert run("--env-file", file, "migrate").exit_code == 0
    found = run("--env-file", file, "export", "-o", tmp_path / "backup.json")
    assert found.exit_code == 2 and "was never a bot's" in found.stderr
    assert not (tmp_path / "backup.json").exists()
    # One that had notices, and no channel that asked for any, is a bot's.
    run("--env-file", file, "replay", *run("samples", tmp_path / "samples").stdout.split()[:1])
    assert json.loads(run("--env-file", file, "export").stdout) == {"gwevent_export": 1, "channels": []}


def test_an_empty_file_of_sqlites_is_no_database(run: Run, tmp_path: Path) -> None:
    file = service(tmp_path)
    sqlite3.connect(tmp_path / "service.sqlite").close()
    assert "No gwevent database" in run("--env-file", file, "export").stderr
    with closing(sqlite3.connect(tmp_path / "service.sqlite")) as other:
        other.execute("create table letters (id integer)")
    assert "No gwevent database" in run("--env-file", file, "export").stderr


def test_a_settings_file_that_cant_be_read_is_a_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00GWEVENT")
    for wrong in (tmp_path / "nowhere", tmp_path, binary):
        found = run("--env-file", wrong, "export")
        assert found.exit_code == 2 and found.stderr.count("\n") == 1 and str(wrong) in found.stderr
        monkeypatch.setenv("GWEVENT_ENV_FILE", str(wrong))
        found = run("export")
        assert found.exit_code == 2 and found.stderr.count("\n") == 1 and str(wrong) in found.stderr
        monkeypatch.delenv("GWEVENT_ENV_FILE")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    found = run("--env-file", binary, "export")
    assert found.exit_code == 2 and "sudo -u root gwevent --env-file" in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in setting_names() if "_URL" in name or "TOKEN" in name])
def test_a_misspelled_name_is_a_sentence(run: Run, tmp_path: Path, name: str) -> None:
    for misspelled in (name[:-1], name.replace("_", "", 1), f"{name}S"):
        file = service(tmp_path, f"{misspelled}=x\n")
        assert unknown_setting_names(file) == [misspelled]
        said = run("--env-file", file, "migrate").stderr
        assert f"{misspelled} is no setting. Is {name} meant?" in said, said


def test_other_variables_of_the_env_file_are_exported(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/given")
    monkeypatch.delenv("GWEVENT_TEST_PROXY", raising=False)
    monkeypatch.setenv("ODD_PROXY", "")
    monkeypatch.delenv("ODD_PROXY")
    file = service(tmp_path, "ODD_PROXY=http://proxy:3128\nXDG_CONFIG_HOME=/other\nSLACK_BOT_TOKEN=xoxb-1\n")
    run("--env-file", file, "migrate")
    assert os.environ.pop("ODD_PROXY") == "http://proxy:3128"
    assert os.environ["XDG_CONFIG_HOME"] == "/given" and "SLACK_BOT_TOKEN" not in os.environ


def test_export_error_hides_the_database_password(run: Run, tmp_path: Path) -> None:
    file = service(tmp_path, "GWEVENT_DATABASE_URL=postgresql://bot:swordfish@127.0.0.1:1/db\n")
    found = run("--env-file", file, "export")
    assert found.exit_code == 2 and "swordfish" not in found.output
    assert "database postgresql://bot@127.0.0.1/db." in found.stderr
