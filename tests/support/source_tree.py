"""The project's source, parsed once for all tests of a process that look at it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from bot.runtime.garbage_collection import suspended_for_imports


@cache
def syntax_tree(path: Path) -> ast.Module:
    """Return the syntax tree of a module, which is shared: nobody may change it."""
    # The trees live to the end of the run; looking for garbage among them takes longer than parsing.
    with suspended_for_imports():
        return ast.parse(path.read_text("utf-8"))


@cache
def syntax_nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a module's syntax tree, in the order of `ast.walk`."""
    tree = syntax_tree(path)
    with suspended_for_imports():
        return tuple(ast.walk(tree))
