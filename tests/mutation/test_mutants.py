"""The mutants are wrong changes of code, each another one, and the same at each run."""

from __future__ import annotations

import ast

import pytest

from tests.mutation.__main__ import sample, sample_under
from tests.mutation.mutants import list_mutants, mutate
from tests.mutation.targets import OUTBOX, PURE, REPOSITORY, modules, stages_of


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", ["a <= b"]),
        ("a <= b < c", ["a < b < c", "a <= b <= c"]),
        ("a is None", ["a is not None"]),
        ("a in b", ["a not in b"]),
        ("a and b", ["a or b"]),
        ("a + b", ["a - b"]),
        ("a & b", ["a | b"]),
        ("'text' + b", []),
        ("a * 2", ["a / 2", "a * 3"]),
        ("not a", ["a"]),
        ("True", ["False"]),
        ("f(a=1.5)", ["f(a=2.5)"]),
    ],
)
def test_expressions_are_changed(source: str, changed: list[str]) -> None:
    source = f"x = {source}"
    found = [mutate(source, mutant.number) for mutant in list_mutants("m.py", source)]
    assert found == [f"x = {one}" for one in changed]


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("f(x)", ["pass"]),
        ("x.y = z", ["pass"]),
        ("return x", ["pass"]),
        ("raise Wrong('text')", ["pass"]),
        ("if x:\n        y()", ["if not x:\n        y()", "if x:\n        pass"]),
        ("'''A text.'''", []),
        ("log.info('event', number=1)", []),
        ("assert x > 1", []),
        ("import x", []),
        ("x: Literal[1] = y", []),
    ],
)
def test_statements_are_removed_and_conditions_negated(statement: str, changed: list[str]) -> None:
    source = f"def g():\n    {statement}"
    found = [mutate(source, mutant.number) for mutant in list_mutants("m.py", source)]
    assert found == [f"def g():\n    {one}" for one in changed]


@pytest.mark.slow
@pytest.mark.parametrize("module", modules(OUTBOX))
def test_every_mutant_of_the_outbox_compiles_and_is_another_program(module: str) -> None:
    source = (REPOSITORY / module).read_text("utf-8")
    mutants = list_mutants(module, source)
    programs = {ast.dump(ast.parse(mutate(source, mutant.number))) for mutant in mutants}
    assert len(programs) == len(mutants) > 10
    assert ast.dump(ast.parse(source)) not in programs


@pytest.mark.slow
def test_a_seed_gives_the_same_sample_of_all_kinds_of_modules() -> None:
    chosen = sample(7, 40)
    assert chosen == sample(7, 40) != sample(8, 40)
    assert len({mutant.name for mutant in chosen}) == 40
    assert sum(mutant.path in OUTBOX for mutant in chosen) == 10


def test_a_sample_can_be_of_one_package_or_module() -> None:
    module = "bot/criteria/resolution.py"
    assert {mutant.path for mutant in sample_under(module, 1, 5)} == {module}
    chosen = sample_under("bot/store", 1, 1_000)
    assert {mutant.path for mutant in chosen} == {path for path in OUTBOX if path.startswith("bot/store")}


def test_every_module_has_tests() -> None:
    for module in modules(PURE + OUTBOX):
        stages = stages_of(module)
        assert stages, module
        assert [test for stage in stages for test in stage if not (REPOSITORY / test).exists()] == []
