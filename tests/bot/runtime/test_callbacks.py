from datetime import UTC, datetime

import pytest

from bot.runtime.callbacks import always, never, no_op, nothing


@pytest.mark.parametrize(
    "arguments", [(), ("team",), ("team", True), (datetime(2026, 1, 1, tzinfo=UTC), None, [])]
)
def test_callbacks_take_whatever_their_callers_give(arguments: tuple[object, ...]) -> None:
    assert always(*arguments) is True
    assert never(*arguments) is False
    no_op(*arguments)
    nothing(*arguments)
