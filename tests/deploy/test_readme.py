"""The README names what there is: commands, files, pictures."""

import os
import re
from pathlib import Path

import pytest
import typer

from bot.cli.main import app
from formatters.answers.help import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_names_every_command_of_the_command_line_and_no_other() -> None:
    named = set(re.findall(r"^\| `gwevent ([a-z-]+)", README, re.MULTILINE))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert named == set(commands)


def test_names_every_slash_command() -> None:
    words = {re.split(r"[ <]", command)[0] for command, _ in COMMANDS} - {""}
    assert {word for word in words if f"/gwevent {word}" not in README} == set()


@pytest.mark.parametrize("page", ["README.md", "deploy/README.md"])
def test_links_to_files_that_are_there(page: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / page).read_text("utf-8"))
    assert links
    assert [link for link in links if not ((ROOT / page).parent / link).is_file()] == []


def test_says_what_each_file_of_the_folder_is() -> None:
    page = (ROOT / "deploy" / "README.md").read_text("utf-8")
    files = [path.name for path in (ROOT / "deploy").iterdir() if path.is_file() and path.name != "README.md"]
    assert [name for name in files if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("command", ["deploy/demo", "deploy/lock", "tests/run", ".ci/run"])
def test_the_commands_can_be_run(command: str) -> None:
    assert os.access(ROOT / command, os.X_OK)
