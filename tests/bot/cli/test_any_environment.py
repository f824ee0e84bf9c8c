"""Every command in generated environments: no traceback; status 0, or 1 or 2 with a sentence."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.runtime.standard_streams import closest_encodable
from bot.samples import bns, to_avro
from tests.support.factories import NOW

REPOSITORY = Path(__file__).resolve().parents[3]
HOMES = ("unset", "nonexistent", "unwritable", "relative", "there")
LANGUAGES: tuple[dict[str, str], ...] = (
    {"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "cp437"},
    {"LANG": "xx_YY.nonsense"},
    {},
)
OTHER: tuple[dict[str, str], ...] = (
    {"TZ": "Nowhere/Atlantis"},
    {"TZ": ""},
    {"TERM": "dumb"},
    {"TERM": "", "COLUMNS": "0"},
    {"COLUMNS": "x", "NO_COLOR": "1"},
    {"XDG_DATA_HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"},
    {"XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""},
    {"TMPDIR": "/nonexistent"},
    {},
)
FOLDERS = ("there", "deleted")
OUTPUTS = ("file", "head", "closed", "all closed")
COMMANDS = (
    "--version",
    "--help",
    "show NOTICE",
    "show --json NOTICE",
    "preview NOTICE",
    "preview NOTICE --format blocks",
    "preview NOTICE --format png -o OUT.png",
    "ask latest",
    "ask help",
    "replay --dry-run NOTICE",
    "replay NOTICE",
    "replay --quarantine",
    "export",
    "migrate",
    "doctor",
    "new-key",
    "rotate-keys",
    "samples OUT",
    "import GIVEN",
    "catalogue list",
    "catalogue import GIVEN",
    "catalogue remove x",
    "backfill --since 2023-05-01",
    "run",
    "serve",
    "consume",
)
PROGRAM = """
import os, pwd, sys
somebody, folder, output = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
if somebody == "unknown":
    # A user id without an entry, as in a container: by name and home nobody.
    def nobody(_):
        raise KeyError("uid not found")
    pwd.getpwuid = nobody
if folder == "deleted":
    os.mkdir(f"gone-{os.getpid()}"); os.chdir(f"gone-{os.getpid()}"); os.rmdir(os.getcwd())
for number in {"closed": [1], "all closed": [0, 1]}.get(output, []):
    os.close(number)
    # As the interpreter has it that is started so.
    setattr(sys, ("stdin", "stdout")[number], None)
# What the installed command has not: this folder among those of modules.
sys.path.remove("")
from bot.cli.main import main
main()
"""


@dataclass(frozen=True)
class Place:
    """The folder in which the commands run; any user may write to it."""

    folder: Path

    def arguments(self, command: str) -> list[str]:
        names = {"NOTICE": "notice.avro", "OUT": "out", "OUT.png": "out.png", "GIVEN": "given.json"}
        return [str(self.folder / names[word]) if word in names else word for word in command.split()]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="gwevent-any-"))
    folder.chmod(0o777)
    (folder / "notice.avro").write_bytes(to_avro(bns(NOW)[0]))
    (folder / "given.json").write_text('{"gwevent_export": 1, "channels": []}')
    for path in folder.iterdir():
        path.chmod(0o666)
    yield Place(folder)
    shutil.rmtree(folder)


def environment(chance: random.Random, place: Place) -> dict[str, str]:
    home = chance.choice(HOMES)
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    if home != "unset":
        folders = {"nonexistent": "/nonexistent", "unwritable": "/proc", "relative": "here", "there": "home"}
        given["HOME"] = str(place.folder / "home") if home == "there" else folders[home]
    # Nothing outside this machine is asked; port 1 refuses at once.
    given |= {
        "GWEVENT_KAFKA_URL": "kafka://127.0.0.1:1/igwn.gwalert",
        "GWEVENT_KAFKA_AUTH": chance.choice(("hop", "off")),
        "GWEVENT_GRACEDB_URL": chance.choice(("off", "http://127.0.0.1:1/api/")),
        "GWEVENT_SLACK_API_URL": "http://127.0.0.1:1/api/",
    }
    if chance.random() < 0.5:
        given["GWEVENT_DATABASE_URL"] = f"sqlite:///{place.folder / f'{chance.randrange(99)}.sqlite'}"
    return given | chance.choice(LANGUAGES) | chance.choice(OTHER)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_environment_ends_in_a_traceback(place: Place, command: str) -> None:
    # The command itself decides, so that each run of the tests tries the same.
    chance = random.Random(command)
    given, folder, output = environment(chance, place), chance.choice(FOLDERS), chance.choice(OUTPUTS)
    tried(place, command, given, [chance.choice(("known", "unknown")), folder, output])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("home", [{}, {"HOME": "here"}], ids=["none", "relative"])
@pytest.mark.parametrize("command", ["export", "preview NOTICE", "migrate"])
def test_without_a_home_the_database_must_be_named(place: Place, command: str, home: dict[str, str]) -> None:
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)} | home
    wrong = tried(place, command, given, ["unknown", "there", "file"])
    assert ("GWEVENT_DATABASE_URL must be set" in wrong) is (command != "preview NOTICE"), wrong
    assert not (place.folder / "here").exists() and not (place.folder / "~").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "command", ["show NOTICE", "replay --dry-run NOTICE", "samples OUT", "--help", "show --help"]
)
def test_broken_pipe_is_no_error(place: Place, command: str) -> None:
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
    assert tried(place, command, given, ["known", "there", "head"], (0,)) == ""


def tried(
    place: Place, command: str, given: dict[str, str], where: list[str], wanted: tuple[int, ...] = (0, 1, 2)
) -> str:
    """Run a command and return its standard error."""
    words = [*where, *place.arguments(command)]
    status, said, wrong = run(words, given, place, where[2])
    about = (words, given, status, said[-300:], wrong[-3000:])
    assert "Traceback" not in wrong + said and "Exception ignored" not in wrong, about
    assert status in wanted, about
    assert not status or wrong.strip() or command == "doctor", about
    return wrong


def run(words: list[str], given: dict[str, str], place: Place, output: str) -> tuple[int, str, str]:
    with (place.folder / "stderr").open("w+b") as errors, (place.folder / "stdout").open("w+b") as out:
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            env=given,
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if output == "head" else out,
            stderr=errors,
        ) as process:
            if process.stdout is not None:
                process.stdout.close()
            status = process.wait(120)
        out.seek(0)
        errors.seek(0)
        return status, out.read().decode(errors="replace"), errors.read().decode(errors="replace")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8", "koi8-r"])
def test_unencodable_characters_are_replaced(encoding: str) -> None:
    for character in map(chr, range(0x20, 0x2FFF)):
        found = closest_encodable(character, encoding)
        found.encode(encoding)
        assert found or unicodedata.combining(character), character
    assert closest_encodable("\udc80", encoding) == "?", "a file's name that is no text"
    plain = {"\u00a0": " ", "²": "2", "…": "...", "−": "-", "é": "e"}
    assert {character: closest_encodable(character, "ascii") for character in plain} == plain
