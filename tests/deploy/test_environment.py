"""How the two commands choose an interpreter, and the one sentence where none fits."""

import shutil
import subprocess
from pathlib import Path

import pytest

ENVIRONMENT = Path(__file__).resolve().parents[2] / "deploy" / "environment.sh"
BASH = shutil.which("bash")

Answer = subprocess.CompletedProcess[str]


class Machine:
    """A machine whose only programs are the interpreters that were put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, version: str, *, ensurepip: bool = True) -> None:
        """Put an interpreter there that answers what environment.sh asks."""
        old = tuple(int(part) for part in version.split(".")) < (3, 11)
        program = self.folder / name
        program.write_text(
            "#!/bin/sh\n"
            'case "$3" in\n'
            f"  *print*) echo {version} ;;\n"
            f"  *version_info*) exit {int(old)} ;;\n"
            f"  *ensurepip*) exit {int(not ensurepip)} ;;\n"
            "  *) exit 9 ;;\n"
            "esac\n"
        )
        program.chmod(0o755)

    def add_shim(self, name: str) -> None:
        """Put a version manager's shim there, whose version isn't installed."""
        program = self.folder / name
        program.write_text("#!/bin/sh\necho 'version not installed' >&2\nexit 127\n")
        program.chmod(0o755)

    def find_python(self, **variables: str) -> Answer:
        assert BASH is not None
        return subprocess.run(
            [BASH, "-c", f"set -euo pipefail; source {ENVIRONMENT}; find_python", "./deploy/demo"],
            env={"PATH": str(self.folder), **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if BASH is None:
        pytest.skip("there is no bash here (Debian, Ubuntu: apt-get install bash)")
    return Machine(tmp_path)


def test_takes_the_newest_that_fits(machine: Machine) -> None:
    machine.add("python3", "3.11.2")
    machine.add("python3.12", "3.12.1")
    assert machine.find_python().stdout == "python3.12\n"


def test_newer_python3_is_accepted(machine: Machine) -> None:
    machine.add("python3", "3.15.0")
    assert machine.find_python().stdout == "python3\n"


def test_unusable_interpreters_are_skipped(machine: Machine) -> None:
    machine.add_shim("python3.13")
    machine.add("python3.12", "3.12.1", ensurepip=False)
    machine.add("python3", "3.9.18")
    machine.add("python3.11", "3.11.7")
    assert machine.find_python().stdout == "python3.11\n"


def test_python_names_the_only_candidate(machine: Machine) -> None:
    machine.add("python3.12", "3.12.1")
    machine.add("mine", "3.11.0")
    assert machine.find_python(PYTHON="mine").stdout == "mine\n"


@pytest.mark.parametrize(
    ("interpreters", "variables", "words"),
    [
        ({}, {}, "there is no Python here"),
        ({"python3": ("3.9.18", True)}, {}, "3.11 or newer is needed, but python3 is 3.9.18"),
        ({"python3": ("3.11.2", False)}, {}, "apt-get install python3-venv"),
        ({"python3": ("3.12.1", True)}, {"PYTHON": "/nowhere/python"}, "PYTHON=/nowhere/python is no Python"),
    ],
    ids=["none", "old", "no ensurepip", "wrong name"],
)
def test_missing_interpreter_is_reported_in_one_sentence(
    machine: Machine,
    interpreters: dict[str, tuple[str, bool]],
    variables: dict[str, str],
    words: str,
) -> None:
    for name, (version, ensurepip) in interpreters.items():
        machine.add(name, version, ensurepip=ensurepip)
    answer = machine.find_python(**variables)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert words in answer.stderr
    assert answer.stderr.startswith("./deploy/demo: ")
    assert answer.stderr.count("\n") == 1
