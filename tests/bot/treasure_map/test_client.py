"""Failures of the Treasure Map over real HTTP: each is one sentence, and the token goes to nobody else."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot import __version__
from bot.treasure_map import client as client_module
from bot.treasure_map.client import (
    AnswerTooLarge,
    TokenRefused,
    TreasureMap,
    TreasureMapBusy,
    TreasureMapError,
    UnreadableAnswer,
    parse_json,
)
from tests.support.clock import NOW
from tests.support.treasure_map import BROKEN, CUT_OFF, HANGS, HTML, TOKEN, FakeTreasureMap, Fault, grid

ID = "S261122a"


async def failure(client: TreasureMap) -> TreasureMapError:
    with pytest.raises(TreasureMapError) as caught:
        await client.pointings(ID)
    said = str(caught.value)
    assert said.endswith(".") and said.count(". ") == 0 and "\n" not in said and TOKEN not in said
    return caught.value


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (401, TokenRefused, "The Treasure Map refuses the token (HTTP 401)."),
        (403, TokenRefused, "The Treasure Map refuses the token (HTTP 403)."),
        ((429, "30"), TreasureMapBusy, "The Treasure Map asks us to wait 30 s."),
        (429, TreasureMapBusy, "The Treasure Map asks us to wait 60 s."),
        ((503, "7"), TreasureMapBusy, "The Treasure Map asks us to wait 7 s."),
        (503, TreasureMapBusy, "The Treasure Map has trouble of its own (HTTP 503)."),
        ((503, "soon"), TreasureMapBusy, "The Treasure Map has trouble of its own (HTTP 503)."),
        (500, TreasureMapBusy, "The Treasure Map has trouble of its own (HTTP 500)."),
        (400, UnreadableAnswer, "The Treasure Map didn't understand the request (HTTP 400)."),
        (404, UnreadableAnswer, "The Treasure Map didn't understand the request (HTTP 404)."),
        (302, UnreadableAnswer, "The Treasure Map didn't understand the request (HTTP 302)."),
        (BROKEN, UnreadableAnswer, "The Treasure Map's answer isn't JSON."),
        (HTML, UnreadableAnswer, "The Treasure Map's answer isn't JSON."),
        (CUT_OFF, TreasureMapBusy, "The Treasure Map broke off its answer (RemoteProtocolError)."),
    ],
)
async def test_each_failure_is_a_sentence(
    fake: FakeTreasureMap, client: TreasureMap, fault: Fault, kind: type[TreasureMapError], words: str
) -> None:
    fake.faults["pointings"] = [fault]
    error = await failure(client)
    assert type(error) is kind and str(error) == words


@pytest.mark.parametrize("limit", ["READ_TIMEOUT_S", "REQUEST_TIMEOUT_S"])
async def test_a_server_that_hangs_is_given_up(
    fake: FakeTreasureMap, client: TreasureMap, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(client_module, limit, 0.05)
    fake.faults["pointings"] = [HANGS]
    assert str(await failure(client)) == "The Treasure Map didn't answer in time."


async def test_an_unreachable_server_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = TreasureMap(f"http://127.0.0.1:{port}/api/v1/", TOKEN)
    assert str(await failure(client)) == "The Treasure Map can't be reached."
    await client.close()


async def test_no_request_is_sent_before_retry_after_is_over(
    fake: FakeTreasureMap, client: TreasureMap
) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=0.5), usegmt=True)
    fake.faults["pointings"] = [(429, later)]
    first = await failure(client)
    assert isinstance(first, TreasureMapBusy) and first.retry_after is not None
    assert 1_000 < first.retry_after < 1_900
    assert isinstance(await failure(client), TreasureMapBusy)
    assert fake.requests() == 1


async def test_it_only_reads_with_the_token_in_its_header(fake: FakeTreasureMap, client: TreasureMap) -> None:
    await client.pointings(ID)
    await client.instruments()
    await client.footprints(47)
    assert fake.methods == {"GET"} and fake.tokens == {TOKEN}
    assert fake.agents == {f"gwevent/{__version__}"}
    assert all(TOKEN not in str(query) for query in fake.queries)


@pytest.mark.slow
async def test_an_answer_of_five_megabytes_is_read_and_a_larger_one_is_refused(
    fake: FakeTreasureMap, client: TreasureMap
) -> None:
    fake.pointings[ID] = grid(10_000, NOW)
    assert len(await client.pointings(ID)) == 10_000
    fake.raw["pointings"] = b"[" + b" " * (client_module.MAX_JSON_BYTES - 2) + b"]"
    assert await client.pointings(ID) == []
    fake.raw["pointings"] += b" "
    assert type(await failure(client)) is AnswerTooLarge
    assert str(await failure(client)) == "The Treasure Map's answer has more than 5 MB."


@pytest.fixture
async def other() -> AsyncIterator[FakeTreasureMap]:
    """Another server on this machine, which must not get a request."""
    local = FakeTreasureMap()
    await local.start()
    yield local
    await local.stop()


async def test_the_token_follows_no_redirect_to_another_server(
    fake: FakeTreasureMap, client: TreasureMap, other: FakeTreasureMap
) -> None:
    port = other.url.split(":")[2]
    for location in (
        other.url + "pointings",
        f"//127.0.0.1:{port}pointings",
        "http://169.254.169.254/latest/meta-data/",
        "https://example.org/",
        "http://[::1",
        "http://127.0.0.1:99999999/",
        "http://a:b@127.0.0.1/",
    ):
        fake.redirects["pointings"] = location
        said = str(await failure(client))
        assert "169.254" not in said and "example" not in said, "what an answer names isn't repeated"
    assert not other.requests() and not other.tokens


async def test_redirects_on_the_same_server_are_followed_but_not_for_ever(
    fake: FakeTreasureMap, client: TreasureMap
) -> None:
    fake.redirects["pointings"] = "/api/v1/moved"
    fake.raw["moved"] = b'[{"id": 1}]'
    assert await client.pointings(ID) == [{"id": 1}]
    fake.redirects["moved"] = "/api/v1/pointings"
    assert "without an end" in str(await failure(client))


@pytest.mark.parametrize("depth", [21, 300, 990, 100_000])
@pytest.mark.parametrize("form", ['{"a":', "["])
def test_a_deeply_nested_answer_is_a_sentence(depth: int, form: str) -> None:
    close = "}" if form == '{"a":' else "]"
    with pytest.raises(UnreadableAnswer, match="nested more deeply"):
        parse_json((form * depth + "1" + close * depth).encode())


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"9" * 5_000, b'{"a": ', b"<html>"])
def test_what_is_no_json_is_a_sentence(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="isn't JSON"):
        parse_json(body)
