"""The documents name what there is: commands, files, tests, pictures."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from bot.cli.main import app
from formatters.answers.help import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/user-guide.md").read_text("utf-8")
PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in (".", "docs", "docs/adr", "deploy", ".github", "tests/chaos", "tests/benchmarks")
    for path in (ROOT / folder).glob("*.md")
)


def test_names_every_command_of_the_command_line_and_no_other() -> None:
    named = set(re.findall(r"^\| `gwevent ([a-z-]+)", GUIDE, re.MULTILINE))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert named == set(commands)


def test_names_every_slash_command() -> None:
    words = {re.split(r"[ <]", command)[0] for command, _ in COMMANDS} - {""}
    assert {word for word in words if f"/gwevent {word}" not in GUIDE} == set()


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_the_text_are_there(page: str) -> None:
    """Documents outlive moves only if somebody looks."""
    text = (ROOT / page).read_text("utf-8")
    paths = re.findall(r"`((?:bot|formatters|tests|docs|deploy)/[\w./-]+)(?:::\w+)?`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


CALL = re.compile(
    r"(?:^|/bin/|exec (?:serve |consume |gwevent )|-- |&& )gwevent(?: --env-file \S+)?"
    r" ([a-z][a-z-]*\b[^#;&|>`\n]*)",
    re.MULTILINE,
)
"""A call in code, by its name alone, behind a path, or in a container: the command and what follows."""


def unknown_options(call: str) -> list[str]:
    """Return what the command line doesn't know of a call: its command, or options of the command."""
    words = call.split()
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if command.name == "gwevent":
        return words[:1]
    known = {"-h", "--help", *(name for one in command.params for name in one.opts)}
    given = (word.strip("[]").partition("=")[0] for word in words)
    return [word for word in given if re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in known]


@pytest.mark.parametrize(
    ("call", "unknown"),
    [
        ("gwevent doctor --live C1 [--record FILE]", []),
        ("sudo -Hu gwevent /opt/gwevent/bin/gwevent --env-file /etc/gwevent/env catalogue fetch ned-lvs", []),
        ("docker compose exec serve gwevent doktor", ["doktor"]),
        ("/opt/gwevent/bin/gwevent export --out x", ["--out"]),
    ],
)
def test_a_call_is_looked_up(call: str, unknown: list[str]) -> None:
    (found,) = CALL.findall(call)
    assert unknown_options(found) == unknown


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_text_are_those_of_the_command_line(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    calls = [call for code in (*blocks, *re.findall(r"`([^`\n]+)`", text)) for call in CALL.findall(code)]
    assert {call: unknown for call in calls if (unknown := unknown_options(call))} == {}
    assert calls or page not in ("README.md", "deploy/README.md", "docs/user-guide.md", "docs/runbook.md")


def test_every_package_is_in_the_architecture() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    for top in ("bot", "formatters"):
        packages = {path.parent.name for path in (ROOT / top).glob("*/__init__.py")}
        assert {name for name in packages if f"| `{name}/`" not in page and f"`{name}/`" not in page} == set()


def test_deploy_readme_describes_each_file() -> None:
    page = (ROOT / "deploy" / "README.md").read_text("utf-8")
    files = [path.name for path in (ROOT / "deploy").iterdir() if path.is_file() and path.name != "README.md"]
    assert [name for name in files if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("command", ["deploy/demo", "deploy/lock", "deploy/sbom", "tests/run", ".ci/run"])
def test_the_commands_can_be_run(command: str) -> None:
    assert os.access(ROOT / command, os.X_OK)
