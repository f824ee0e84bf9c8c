"""Small wrong changes of a module's code: what can be changed, and the changed source.

A mutant is named by its place and number, which depend on nothing but the source. Left alone are docstrings,
annotations, decorators, asserts, log calls, the messages of exceptions and all text: a changed one is no
wrong decision.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_REMOVABLE = (ast.Expr, ast.AugAssign, ast.Return, ast.Raise, ast.Continue, ast.Break, ast.Delete)
_LOGGERS = {"log", "logger"}

Change = Callable[[], ast.AST | None]
"""Returns what takes a node's place; None if the node was changed where it is."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong change of a module."""

    path: str
    """The module, relative to the repository."""
    number: int
    """Its number among the mutants of its module."""
    line: int
    before: str
    after: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.number}"

    def __str__(self) -> str:
        return f"{self.name} line {self.line}: {self.before} → {self.after}"


def list_mutants(path: str, source: str) -> list[Mutant]:
    """Return every mutant of a module."""
    return [
        Mutant(path, number, site.line, site.before, site.after)
        for number, site in enumerate(_sites(ast.parse(source)))
    ]


def mutate(source: str, number: int) -> str:
    """Return a module's source with one of its mutants; comments and layout are lost."""
    tree = ast.parse(source)
    for found, site in enumerate(_sites(tree)):
        if found == number:
            site.apply()
            return ast.unparse(ast.fix_missing_locations(tree))
    raise IndexError(f"There is no mutant {number}.")


@dataclass(frozen=True, slots=True)
class _Site:
    line: int
    before: str
    after: str
    apply: Callable[[], None]


def _sites(tree: ast.AST) -> Iterator[_Site]:
    for node, field, index in _places(tree):
        owner = getattr(node, field)
        child: ast.AST = owner if index is None else owner[index]
        for replacement in _replacements(child, field):
            yield _Site(
                getattr(child, "lineno", 0),
                _show(child),
                _show(replacement),
                lambda node=node, field=field, index=index, new=replacement: _put(node, field, index, new),  # type: ignore[misc]
            )


def _put(node: ast.AST, field: str, index: int | None, new: ast.AST) -> None:
    if index is None:
        setattr(node, field, new)
    else:
        getattr(node, field)[index] = new


def _show(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
    return text if len(text) <= 70 else f"{text[:67]}…"


def _places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield the place of each node below one, from the top, without those that are left alone."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params", "ctx", "op", "ops"):
            continue
        if isinstance(value, ast.AST):
            if not _is_left_alone(value):
                yield node, field, None
                yield from _places(value)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST) and not _is_left_alone(item):
                    yield node, field, index
                    yield from _places(item)


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.JoinedStr():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))) if name in _LOGGERS:
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(value=ast.Subscript() | ast.BinOp(op=ast.BitOr())) if _is_type_alias(node):
            return True
        case _:
            return False


def _is_type_alias(node: ast.Assign) -> bool:
    """Guess whether `Name = A[B]` or `Name = A | B` names a type: CapitalizedWords of nothing but names."""
    target = node.targets[0]
    if not isinstance(target, ast.Name) or not target.id[:1].isupper() or target.id.isupper():
        return False
    return not any(isinstance(part, ast.Call) for part in ast.walk(node.value))


def _replacements(node: ast.AST, field: str) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=operators):
            for index, operator in enumerate(operators):
                changed = copy.deepcopy(node)
                changed.ops[index] = _COMPARISONS[type(operator)]()
                yield changed
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(op=ast.Or() if isinstance(operator, ast.And) else ast.And(), values=values)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
            if not (_is_text(left) or _is_text(right)):
                yield ast.BinOp(left=left, op=_ARITHMETIC[type(operator)](), right=right)
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Return(value=None) | ast.Return(value=ast.Constant(value=None)):
            yield ast.Pass()
        case _ if isinstance(node, _REMOVABLE):
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case _:
            pass
    # The negation of a comparison, or of `not`, is among the changes above.
    if (
        isinstance(node, ast.expr)
        and field in ("test", "ifs")
        and not isinstance(node, ast.Compare | ast.UnaryOp)
    ):
        yield ast.UnaryOp(op=ast.Not(), operand=node)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
