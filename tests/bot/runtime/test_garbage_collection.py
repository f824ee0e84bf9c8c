"""What is imported while collections are suspended is never looked through."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bot.runtime.garbage_collection import suspended_for_imports


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_inside_and_what_came_is_left_alone_afterwards() -> None:
    with suspended_for_imports():
        assert not gc.isenabled()
        made = [[number] for number in range(100)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(made)
    assert not any(found is made for found in gc.get_objects())


def test_an_error_inside_leaves_collections_on() -> None:
    with pytest.raises(ImportError), suspended_for_imports():
        raise ImportError
    assert gc.isenabled()


def test_who_has_switched_collections_off_keeps_them_off() -> None:
    gc.disable()
    with suspended_for_imports():
        pass
    assert not gc.isenabled()
