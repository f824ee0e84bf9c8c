"""`formatters` reads no clock and no file. What may import what is held by import-linter (pyproject.toml)."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.source_tree import syntax_nodes, syntax_tree

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "formatters").rglob("*.py"))
SOURCES = sorted(path for name in ("bot", "formatters") for path in (ROOT / name).rglob("*.py"))

MAX_LINES = 450
MAX_PROJECT_IMPORTS = 20
MAX_CONSTRUCTOR_ARGUMENTS = 7
COMPOSITION_ROOT = {
    ROOT / f"bot/app/{name}.py" for name in ("factory", "slack_interface_factory", "repositories")
}
"""The factories and the repositories that they are made of know every package: that is their work."""

SHARED_CLASS_NAMES = {
    "HttpServer": "the local Slack's, a stand-in that the bot never imports",
    "Message": "the local Slack's is a stored one, `formatters.blockkit.message` composes one to send",
    "UnreadableAnswer": "the same error of two services, each below its own service's base class",
    "WebApi": "the local Slack's answers what the bot's client asks",
}
"""Names that two public classes may have, and why nobody confuses them."""

BUILTINS = {"open", "print", "input", "eval", "exec", "__import__"}
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
CLOCK_OWNERS = {"datetime", "date", "time"}


def impurities(tree: ast.AST) -> Iterator[str]:
    """Yield calls that read a clock or a file, and imports that import-linter takes for the parent."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or node.module == "urllib.request"):
            yield "." * node.level + (node.module or "")
        if isinstance(node, ast.ImportFrom) and node.module == "urllib":
            yield from (alias.name for alias in node.names if alias.name == "request")
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name == "urllib.request")
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in BUILTINS:
            yield called.id
        if isinstance(called, ast.Attribute) and called.attr in CLOCKS:
            owner = called.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in CLOCK_OWNERS:
                yield f"{name}.{called.attr}"


def project_imports(path: Path, known: set[str]) -> set[str]:
    """Return the project's modules that a module imports, as dotted names."""
    found = set()
    for node in syntax_nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
    return {name for name in found if name.split(".")[0] in ("bot", "formatters")}


def dotted(path: Path) -> str:
    """Return a source file's module name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_modules_are_found() -> None:
    assert {"notice.py", "alert_card.py", "mrkdwn.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_formatters_reads_no_clock_and_no_file(path: Path) -> None:
    assert list(impurities(syntax_tree(path))) == []


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "time.time()",
        "open('x')",
        "from urllib import request",
        "import urllib.request",
        "from .card import root",
    ],
)
def test_an_impure_call_or_import_is_detected(source: str) -> None:
    assert list(impurities(ast.parse(source)))


def test_a_similar_pure_call_is_not_reported() -> None:
    tree = ast.parse("from urllib import parse\nmessage(now)\ntimes.time\nnotice.time.now_ish()")
    assert list(impurities(tree)) == []


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lines = {dotted(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_no_module_but_the_factory_imports_half_the_project() -> None:
    known = {dotted(path) for path in SOURCES}
    counts = {
        dotted(path): len(project_imports(path, known)) for path in SOURCES if path not in COMPOSITION_ROOT
    }
    assert {name: count for name, count in counts.items() if count > MAX_PROJECT_IMPORTS} == {}


def test_no_constructor_but_the_factories_takes_more_than_a_reader_can_hold() -> None:
    counts = {
        f"{dotted(path)}.{owner.name}": len(arguments) - 1
        for path in SOURCES
        if path not in COMPOSITION_ROOT
        for owner in syntax_nodes(path)
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        if (arguments := [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs])
    }
    assert len(counts) > 100
    assert {name: count for name, count in counts.items() if count > MAX_CONSTRUCTOR_ARGUMENTS} == {}


def test_bot_has_at_most_two_loose_modules() -> None:
    loose = {path.name for path in (ROOT / "bot").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert loose == {"settings.py", "logs.py"}


def test_modules_import_each_other_in_no_circle() -> None:
    known = {dotted(path) for path in SOURCES}
    graph = {dotted(path): project_imports(path, known) & known for path in SOURCES}
    while True:
        # A module that imports nothing that is left, or that nothing left imports, stands in no circle.
        imported = {name for names in graph.values() for name in names}
        free = {name for name in graph if not graph[name] - {name} or name not in imported}
        if not free:
            break
        graph = {name: names - free for name, names in graph.items() if name not in free}
    assert graph == {}


def test_no_two_public_classes_have_one_name() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in SOURCES:
        for node in syntax_tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(dotted(path))
    shared = {name: modules for name, modules in places.items() if len(modules) > 1}
    assert shared.keys() == SHARED_CLASS_NAMES.keys(), shared
