"""What a wheel holds, and that it declares what it imports."""

import ast
import re
import sys
import tomllib
from email import message_from_string
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

from bot import __version__
from tests.support.source_tree import syntax_nodes

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bot", "formatters")
NEVER_IMPORTED = {
    "six",  # hop-client imports it and doesn't declare it
    "tzdata",  # zoneinfo reads it where the system has no time zones
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Built as pip builds it, by the same backend, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    return ZipFile(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))


@pytest.fixture(scope="module")
def metadata(wheel: ZipFile) -> Message:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_string(wheel.read(name).decode())


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(metadata: Message) -> set[str]:
    """The distributions that are installed with gwevent and its extras; those for tests aside."""
    requirements = [r for r in metadata.get_all("Requires-Dist", []) if not r.endswith("extra == 'test'")]
    return {canonical(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in requirements}


def imported() -> set[str]:
    """The top-level modules that the packages import, in functions too; the standard library aside."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in syntax_nodes(path):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - set(PACKAGES)


def test_holds_every_module(wheel: ZipFile) -> None:
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "node_modules" not in path.parts
    }
    assert modules <= set(wheel.namelist())


def test_holds_the_page_and_all_it_loads(wheel: ZipFile) -> None:
    folder = "bot/local_slack/page/static/"
    names = {name.removeprefix(folder) for name in wheel.namelist() if name.startswith(folder)}
    assert {path.name for path in (ROOT / folder).iterdir()} == names
    page = wheel.read(f"{folder}index.html").decode()
    loaded = re.findall(r'(?:src|href)="(?:[^":]*/)?([^"/:]+\.(?:js|css))"', page)
    assert loaded
    assert set(loaded) <= names
    # Others' code goes out with its licences.
    assert "LICENSES.txt" in names


def test_holds_the_observatories(wheel: ZipFile) -> None:
    for table in ("observatories", "other_names"):
        assert f"bot/observing/{table}.csv" in wheel.namelist()


def test_holds_the_migrations(wheel: ZipFile) -> None:
    names = wheel.namelist()
    assert "bot/store/migrations/env.py" in names
    assert "bot/store/migrations/script.py.mako" in names
    assert [name for name in names if name.startswith("bot/store/migrations/versions/0001")]


def test_holds_its_types_and_its_licence(wheel: ZipFile) -> None:
    names = wheel.namelist()
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_holds_nothing_else(wheel: ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    unwanted = re.compile(r"node_modules|__pycache__|\.env$|\.sqlite")
    assert [name for name in wheel.namelist() if unwanted.search(name)] == []


def test_the_page_is_small_enough_to_travel(wheel: ZipFile) -> None:
    assert sum(info.compress_size for info in wheel.infolist()) < 3_000_000


def test_gives_the_command(wheel: ZipFile) -> None:
    [name] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "gwevent = bot.cli.main:main" in wheel.read(name).decode()


@pytest.mark.slow
def test_says_one_version(metadata: Message) -> None:
    assert metadata["Version"] == __version__


@pytest.mark.slow
def test_declared_dependencies_match_imports(metadata: Message) -> None:
    owners = packages_distributions()
    unknown = {module for module in imported() if module not in owners}
    assert unknown == set()
    used = {canonical(owners[module][0]) for module in imported()}
    assert used - declared(metadata) == set()
    assert declared(metadata) - used == NEVER_IMPORTED


def test_every_module_imports_without_the_extras(metadata: Message) -> None:
    """What an extra brings is imported where it is used: each module is imported by those without it."""
    always = {name for name in metadata.get_all("Requires-Dist", []) if "extra ==" not in name}
    installed = {canonical(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in always}
    owners = packages_distributions()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_bytes()).body:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                for module in {name.split(".")[0] for name in names} & owners.keys() - set(PACKAGES):
                    distribution = canonical(owners[module][0])
                    assert distribution in installed, f"{path.relative_to(ROOT)} imports {module} at once"


@pytest.mark.slow
def test_every_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert [need for need in project["dependencies"] if ">=" not in need] == []


def test_the_versions_of_python_that_were_tried_are_the_same_everywhere(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier", [])
    tried = [found[1] for text in classifiers if (found := re.fullmatch(r".*:: Python :: (3\.\d+)", text))]
    assert metadata["Requires-Python"] == f">={tried[0]}"
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"(tried: {', '.join(tried[:-1])} and {tried[-1]})" in readme
    # What `tests/run` and `deploy/demo` look for, the newest first.
    looked_for = re.search(r"candidates=\(([^)]*)\)", (ROOT / "deploy/environment.sh").read_text("utf-8"))
    assert looked_for is not None
    assert re.findall(r"python(3\.\d+)", looked_for[1]) == tried[::-1]
