"""Failures of GraceDB over real HTTP; each is one sentence."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot import __version__
from bot.gracedb import client
from bot.gracedb.client import GraceDb, GraceDbBusy, GraceDbError, SupereventNotPublic, UnreadableAnswer
from tests.bot.gracedb.fake import BROKEN, CUT_OFF, HANGS, Event, FakeGraceDb, superevent

ID = "S190425z"


@pytest.fixture(autouse=True)
def known(fake: FakeGraceDb) -> Event:
    return fake.add(Event(superevent(ID), {"a.json,0": b"{}", "long.fits": b"x" * 300_000}))


async def failure(gracedb: GraceDb, superevent_id: str = ID) -> GraceDbError:
    with pytest.raises(GraceDbError) as caught:
        await gracedb.superevent(superevent_id)
    said = str(caught.value)
    assert said.endswith(".") and said.count(". ") == 0 and "\n" not in said
    return caught.value


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (404, SupereventNotPublic, "In GraceDB S190425z is not public or doesn't exist."),
        (403, SupereventNotPublic, "In GraceDB S190425z is not public or doesn't exist."),
        ((429, "30"), GraceDbBusy, "GraceDB asks us to wait 30 s."),
        (429, GraceDbBusy, "GraceDB asks us to wait 60 s."),
        ((503, "7"), GraceDbBusy, "GraceDB asks us to wait 7 s."),
        (503, GraceDbBusy, "GraceDB is down for maintenance."),
        ((503, "soon"), GraceDbBusy, "GraceDB is down for maintenance."),
        (500, GraceDbBusy, "GraceDB has trouble of its own (HTTP 500)."),
        (400, UnreadableAnswer, "GraceDB didn't understand the request (HTTP 400)."),
        (BROKEN, UnreadableAnswer, "GraceDB's answer isn't JSON."),
        (CUT_OFF, GraceDbBusy, "GraceDB broke off its answer (RemoteProtocolError)."),
    ],
)
async def test_each_failure_is_a_sentence(
    fake: FakeGraceDb,
    gracedb: GraceDb,
    fault: int | str | tuple[int, str],
    kind: type[GraceDbError],
    words: str,
) -> None:
    fake.faults[f"{ID}/"] = [fault]
    error = await failure(gracedb)
    assert type(error) is kind and str(error) == words


async def test_a_timeout_is_a_sentence(
    fake: FakeGraceDb, gracedb: GraceDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "READ_TIMEOUT_S", 0.05)
    fake.faults[f"{ID}/"] = [HANGS]
    assert str(await failure(gracedb)) == "GraceDB didn't answer in time."


async def test_an_endless_answer_is_bounded_in_time(
    fake: FakeGraceDb, gracedb: GraceDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REQUEST_TIMEOUT_S", 0.05)
    fake.faults[f"{ID}/"] = [HANGS]
    assert str(await failure(gracedb)) == "GraceDB didn't answer in time."


async def test_an_unreachable_server_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    gracedb = GraceDb(f"http://127.0.0.1:{port}/api/")
    assert str(await failure(gracedb)) == "GraceDB can't be reached."
    await gracedb.close()


async def test_no_request_is_sent_before_retry_after_is_over(fake: FakeGraceDb, gracedb: GraceDb) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=0.5), usegmt=True)
    fake.faults[f"{ID}/"] = [(429, later)]
    first = await failure(gracedb)
    assert (
        isinstance(first, GraceDbBusy) and first.retry_after is not None and 1_000 < first.retry_after < 1_900
    )
    assert isinstance(await failure(gracedb), GraceDbBusy)
    assert fake.requests() == 1


async def test_size_is_bounded(fake: FakeGraceDb, gracedb: GraceDb, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(await gracedb.file(ID, "long.fits")) == 300_000
    with pytest.raises(UnreadableAnswer, match="more than 0 MB"):
        await gracedb.file(ID, "long.fits", 100_000)
    monkeypatch.setattr(client, "MAX_JSON_BYTES", 100)
    assert "more than 0 MB" in str(await failure(gracedb))


@pytest.mark.parametrize("name", ["../secret", "a/b.json", "", ",0", "a b", "ü" * 300])
async def test_invalid_file_names_are_not_requested(fake: FakeGraceDb, gracedb: GraceDb, name: str) -> None:
    with pytest.raises(UnreadableAnswer):
        await gracedb.file(ID, name)
    assert fake.requests() == 0


async def test_user_agent_and_missing_notice_lists_are_remembered(
    fake: FakeGraceDb, gracedb: GraceDb
) -> None:
    assert await gracedb.notices(ID) is None
    assert await gracedb.notices(ID) is None
    assert fake.requests() == 1
    assert fake.agents == {f"gwevent/{__version__}"}
    assert gracedb.page_url(ID) == f"{fake.url.removesuffix('api/')}superevents/{ID}/view/"
