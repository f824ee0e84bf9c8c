"""The project's source, parsed once for all tests of a process that look at it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def syntax_tree(path: Path) -> ast.Module:
    """Return the syntax tree of a module, which is shared: nobody may change it."""
    return ast.parse(path.read_text("utf-8"))


@cache
def syntax_nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a module's syntax tree, in the order of `ast.walk`."""
    return tuple(ast.walk(syntax_tree(path)))
