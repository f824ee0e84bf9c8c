"""The digest of a sky map's file, computed in a thread of its own."""

from __future__ import annotations

import hashlib
from threading import Thread

import pytest

from bot.alerts.file_digest import FileDigest, file_digest

SIZES = [0, 1, 2**16 - 1, 2**16, 2**16 + 1, 1_000_000]


def content(size: int) -> bytes:
    return (b"sky map %d " % size * (size // 8 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_it_is_blake2b_of_the_whole_file_whatever_its_size(size: int, kind: type) -> None:
    digest = FileDigest(kind(content(size)))
    expected = hashlib.blake2b(content(size), digest_size=16).hexdigest()
    assert digest.result() == digest.result() == file_digest(content(size)) == expected


@pytest.mark.parametrize("size", SIZES)
def test_where_no_thread_can_be_started_it_is_the_same(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    assert FileDigest(content(size)).result() == file_digest(content(size))


def test_what_fails_in_the_thread_is_tried_again_where_its_error_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def fail_once(self: FileDigest) -> None:
        calls.append(self)
        if len(calls) > 1:
            self._digest = "found"

    monkeypatch.setattr(FileDigest, "_compute", fail_once)
    assert FileDigest(content(1_000_000)).result() == "found"
    assert len(calls) == 2
