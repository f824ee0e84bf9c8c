"""Law 1: arrows run down. `formatters` knows nothing of wire, clock or disk, nor of `bot`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "formatters").rglob("*.py"))

FORBIDDEN = {
    "bot",
    "slack_sdk",
    "slack_bolt",
    "hop",
    "adc",
    "confluent_kafka",
    "sqlalchemy",
    "aiosqlite",
    "psycopg",
    "alembic",
    "httpx",
    "aiohttp",
    "requests",
    "urllib.request",
    "socket",
    "asyncio",
    "threading",
    "subprocess",
    "os",
    "pathlib",
    "time",
    "random",
    "secrets",
    "structlog",
    "logging",
}
BUILTINS = {"open", "print", "input", "eval", "exec", "__import__"}
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
CLOCK_OWNERS = {"datetime", "date", "time"}


def imports(tree: ast.AST) -> Iterator[str]:
    """All modules that a tree imports, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def impurities(tree: ast.AST) -> Iterator[str]:
    """Reads of the clock and of files."""
    for node in ast.walk(tree):
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


def forbidden(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN)


def test_modules_are_found() -> None:
    assert {"notice.py", "card.py", "mrkdwn.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_formatters_are_pure(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [module for module in imports(tree) if forbidden(module) or module.startswith(".")] == []
    assert list(impurities(tree)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import bot.settings",
        "from bot import settings",
        "def f():\n    from slack_sdk.web import client",
        "import httpx as h",
        "from urllib import request",
        "from .card import root",
    ],
)
def test_upward_import_is_detected(source: str) -> None:
    found = list(imports(ast.parse(source)))
    assert any(forbidden(module) or module.startswith(".") for module in found)


@pytest.mark.parametrize(
    "source", ["datetime.now(UTC)", "datetime.datetime.utcnow()", "time.time()", "open('x')"]
)
def test_impure_call_is_detected(source: str) -> None:
    assert list(impurities(ast.parse(source)))


def test_similar_pure_call_is_not_reported() -> None:
    tree = ast.parse(
        "import botany\nfrom datetime import UTC\nmessage(now)\ntimes.time\nnotice.time.now_ish()"
    )
    assert not any(forbidden(module) for module in imports(tree))
    assert list(impurities(tree)) == []
