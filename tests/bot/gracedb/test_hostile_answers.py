"""Hostile answers of a GraceDB: each is rejected with one sentence, and no other server is requested."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.app.factory import Factory
from bot.gracedb import conversion
from bot.gracedb.client import MAX_REDIRECTS, GraceDb, GraceDbError, UnreadableAnswer, _parse_json
from bot.gracedb.conversion import SupereventFiles
from bot.gracedb.importer import SupereventImporter
from tests.bot.gracedb.fake import Event, FakeGraceDb, jsonb, superevent

ID = "S190425z"
PATH = f"superevents/{ID}/"


@pytest.fixture
async def other() -> AsyncIterator[FakeGraceDb]:
    """Another server on this machine, which must not get a request."""
    local = FakeGraceDb()
    await local.start()
    local.add(Event(superevent(ID)))
    yield local
    await local.stop()


@pytest.fixture(autouse=True)
def known(fake: FakeGraceDb) -> Event:
    return fake.add(Event(superevent(ID)))


async def refused(gracedb: GraceDb) -> str:
    with pytest.raises(GraceDbError) as caught:
        await gracedb.superevent(ID)
    said = str(caught.value)
    assert said.endswith(".") and said.count(". ") == 0 and "\n" not in said and len(said) < 200
    return said


async def test_redirects_on_the_same_server_are_followed(fake: FakeGraceDb, gracedb: GraceDb) -> None:
    fake.redirects[PATH] = f"/api/superevents/{ID}/again/"
    fake.redirects[f"{PATH}again/"] = f"{fake.url}superevents/{ID}/third/"
    fake.raw[f"{PATH}third/"] = jsonb(superevent(ID))
    assert (await gracedb.superevent(ID))["superevent_id"] == ID


async def test_redirects_to_other_servers_are_not_followed(
    fake: FakeGraceDb, gracedb: GraceDb, other: FakeGraceDb
) -> None:
    port = other.url.split(":")[2]
    for location in (
        other.url + PATH,
        f"//127.0.0.1:{port}api/{PATH}",
        f"http://localhost:{port}api/{PATH}",
        f"http://{fake.url.removeprefix('http://').split('/')[0]}@127.0.0.1:{port}api/{PATH}",
        "http://169.254.169.254/latest/meta-data/",
        "https://example.org/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://[::1",
        "http://127.0.0.1:99999999/",
        "javascript:alert(1)",
        "http://a:b@127.0.0.1/",
        "https://" + "x" * 5_000,
    ):
        fake.redirects[PATH] = location
        said = await refused(gracedb)
        assert "169.254" not in said and "example" not in said, "what an answer names isn't repeated"
    assert not other.requests()


async def test_the_number_of_redirects_is_limited(fake: FakeGraceDb, gracedb: GraceDb) -> None:
    fake.redirects[PATH] = f"/api/{PATH}"
    assert "without an end" in await refused(gracedb)
    assert fake.asked[PATH] == MAX_REDIRECTS + 1


async def test_a_file_redirected_elsewhere_counts_as_missing(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, other: FakeGraceDb, known: Event
) -> None:
    known.files["p_astro.json,0"] = jsonb({"BNS": 1.0})
    fake.redirects[f"{PATH}files/p_astro.json,0"] = f"{other.url}superevents/{ID}/"
    assert await archive.import_superevent(ID) == ID
    assert not other.requests()
    assert await factory.notices.superevent(ID) is not None


@pytest.mark.slow
@pytest.mark.parametrize("depth", [101, 300, 900, 960, 985, 990, 995, 1_000, 5_000, 200_000])
@pytest.mark.parametrize("form", ['{"a":', "["])
async def test_a_deeply_nested_answer_is_a_sentence(
    fake: FakeGraceDb, gracedb: GraceDb, depth: int, form: str
) -> None:
    close = "}" if form == '{"a":' else "]"
    nested = form * depth + "1" + close * depth
    for body in (nested, f'{{"superevent_id": "{ID}", "x": {nested}}}'):
        fake.raw[PATH] = body.encode()
        assert "nested more deeply" in await refused(gracedb)


async def test_a_deeply_nested_file_counts_as_missing(
    fake: FakeGraceDb, archive: SupereventImporter, factory: Factory, known: Event
) -> None:
    for depth in (120, 980, 990):
        known.files[f"p_astro.json,{depth}"] = (
            b'{"BNS": 1, "x": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        )
    await archive.import_superevent(ID)
    found = await factory.notices.superevent(ID)
    assert found is not None and found.event is not None and not found.event.classification
    assert await factory.quarantine.next() is None


NUMBERS = (
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "9" * 400,
    "9" * 5_000,
    "0.1e-999",
    "-0",
    "1e308",
    "true",
    "null",
)
TEXTS = (
    '"\\ud800"',
    '"\\u0000"',
    '""',
    '"9999-12-31 23:59:59 UTC"',
    '"0001-01-01T00:00:00+10:00"',
    '"<!channel>"',
    '"x,' + "9" * 5_000 + '"',
    '"1900-01-01"',
    "[]",
    "{}",
    '[{"a": 1}]',
    '{"a": [1]}',
    '"2019-04-25 08:18:26 UTC"',
)
ANSWERS: tuple[Any, ...] = (
    superevent(ID, "ADVNO", "EM_COINC", time_coinc_far=1e-9),
    {"labels": [{"name": "ADVNO", "created": "2019-04-26 10:00:00 UTC"}]},
    {
        "log": [
            {"filename": "bayestar.multiorder.fits", "file_version": 0, "created": "2019-04-25 09:00:00 UTC"}
        ]
    },
    {"bayestar.multiorder.fits,0": "x", "gstlal.p_astro.json,1": "x"},
    {"notices": [{"filename": "S190425z-1-initial.json"}]},
    {"numRows": 1, "superevents": [superevent(ID)]},
    {"HasNS": 1.0, "BNS": 0.5},
)


def mutated(answer: Any, rng: random.Random) -> str:
    """Return an answer with some values replaced by raw JSON, or with duplicate keys."""
    text = json.dumps(answer)
    leaves = [json.dumps(leaf) for leaf in _leaves(answer)]
    for _ in range(rng.choice((1, 1, 2, 4))):
        text = text.replace(rng.choice(leaves), rng.choice(NUMBERS + TEXTS), rng.choice((1, 1, -1)))
    return (
        text.replace("{", '{"superevent_id": 5, "superevent_id": "S190425z", ', 1)
        if rng.random() < 0.1
        else text
    )


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *(leaf for inner in value.values() for leaf in _leaves(inner))]
    return [leaf for inner in value for leaf in _leaves(inner)] if isinstance(value, list) else [value]


def understand(bodies: list[str]) -> None:
    """Convert all answers about one superevent. Raises UnreadableAnswer and nothing else."""
    answers = [_parse_json(body.encode("utf-8", "surrogatepass")) for body in bodies]
    entry = conversion.parse_superevent(answers[0])
    labelled, uploaded, files = (
        conversion.parse_label_times(answers[1]),
        conversion.parse_upload_times(answers[2]),
        answers[3],
    )
    conversion.notice_file_names(ID, files)
    names = conversion.maps_newest_first(files, uploaded)
    conversion.preferred_json_file("p_astro.json", files, conversion.preferred_pipeline(entry), uploaded)
    conversion.parse_notice_list(answers[4])
    conversion.parse_superevent_list(answers[5])
    facts = answers[6] if isinstance(answers[6], dict) else None
    parts = SupereventFiles(
        label_times=labelled, upload_times=uploaded, p_astro=facts, file_names=tuple(names)
    )
    for payload in conversion.build_payloads(entry, "https://example.org", parts):
        json.loads(payload)


@pytest.mark.parametrize("seed", range(12))
def test_any_values_are_converted_or_rejected(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        which = rng.randrange(len(ANSWERS))
        bodies = [mutated(one, rng) if n == which else json.dumps(one) for n, one in enumerate(ANSWERS)]
        try:
            understand(bodies)
        except UnreadableAnswer as refusal:
            assert str(refusal).endswith(".") and len(str(refusal)) < 200


async def test_ids_are_escaped_in_request_paths(fake: FakeGraceDb, gracedb: GraceDb) -> None:
    for id_ in ("../../etc", "..", "S1/../x", "S1?x=1", "S1#x", "S 1", "<!channel>", "Ω"):
        with pytest.raises(GraceDbError):
            await gracedb.superevent(id_)
        assert gracedb.page_url(id_).startswith(fake.url.removesuffix("api/") + "superevents/")
    assert all(path.startswith("superevents/") for path in fake.asked)
    assert all(path.removeprefix("superevents/").count("/") >= 1 for path in fake.asked)
