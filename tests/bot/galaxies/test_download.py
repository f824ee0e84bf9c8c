"""Downloads: from where a broken one ended, never a mixture of two files, each failure one sentence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from bot.galaxies.catalogue_index import CatalogueProblem
from bot.galaxies.download import download, make_client, newest_release
from tests.support.file_server import FileServer, file_server

BODY = bytes(range(256)) * 20_000
"""5 MB."""
OTHER = BODY[::-1]


@pytest.fixture
def served() -> Iterator[FileServer]:
    with file_server(BODY) as server:
        yield server


def fetch(served: FileServer, folder: Path, *, reserve: int = 0) -> bytes:
    with make_client(served.url) as client:
        return download(served.url, folder, client, lambda *_: None, reserve=reserve).read_bytes()


def broken(served: FileServer, folder: Path) -> str:
    with pytest.raises(CatalogueProblem) as problem:
        fetch(served, folder)
    said = str(problem.value)
    assert "\n" not in said and said.endswith(".")
    return said


def test_a_file_comes_whole_and_nothing_else_stays(served: FileServer, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with make_client(served.url) as client:
        found = download(served.url, tmp_path / "new", client, lambda *at: seen.append(at))
    assert found.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY)) and len(seen) > 1
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["file.fits"]


def test_a_download_that_broke_off_goes_on_from_there(served: FileServer, tmp_path: Path) -> None:
    served.cut_after = 3_000_000
    said = broken(served, tmp_path)
    assert "broke off after 3,000,000 of 5,120,000 bytes; try again to go on from there" in said
    served.cut_after = None
    assert fetch(served, tmp_path) == BODY
    assert served.ranges == [None, "bytes=3000000-"]


def test_another_file_at_the_same_address_is_fetched_from_its_beginning(
    served: FileServer, tmp_path: Path
) -> None:
    served.cut_after = 3_000_000
    broken(served, tmp_path)
    served.cut_after, served.body, served.etag = None, OTHER, '"two"'
    assert fetch(served, tmp_path) == OTHER


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_an_identity_a_broken_download_begins_again(
    served: FileServer, tmp_path: Path, etag: str | None
) -> None:
    served.etag, served.cut_after = etag, 3_000_000
    assert broken(served, tmp_path).endswith("bytes; try again.")
    served.cut_after, served.body = None, OTHER
    assert fetch(served, tmp_path) == OTHER
    assert served.ranges == [None, None]


def test_a_download_that_was_killed_when_all_had_come_is_taken_as_it_is(
    served: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "file.fits.part").write_bytes(BODY)
    (tmp_path / "file.fits.etag").write_text('"one"')
    assert fetch(served, tmp_path) == BODY
    assert [file.name for file in tmp_path.iterdir()] == ["file.fits"]


def test_a_rest_longer_than_the_file_is_thrown_away(served: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.fits.part").write_bytes(BODY + b"more")
    (tmp_path / "file.fits.etag").write_text('"one"')
    assert "another file" in broken(served, tmp_path)
    assert fetch(served, tmp_path) == BODY


def test_another_part_than_asked_for_is_refused(served: FileServer, tmp_path: Path) -> None:
    served.cut_after = 3_000_000
    broken(served, tmp_path)
    served.cut_after, served.wrong_range = None, True
    assert "another part" in broken(served, tmp_path)
    served.wrong_range = False
    assert fetch(served, tmp_path) == BODY


def test_a_body_shorter_than_its_length_is_no_file(served: FileServer, tmp_path: Path) -> None:
    served.extra_length = 1_000
    assert "broke off after 5,120,000 of 5,121,000 bytes" in broken(served, tmp_path)
    assert not (tmp_path / "file.fits").exists()


@pytest.mark.parametrize("way", ["packed", "without a length"])
def test_an_answer_without_a_usable_length_is_read_to_its_end(
    served: FileServer, tmp_path: Path, way: str
) -> None:
    served.is_packed, served.is_chunked = way == "packed", way != "packed"
    assert fetch(served, tmp_path) == BODY


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_an_error_is_one_sentence_that_says_what_to_do(
    served: FileServer, tmp_path: Path, status: int
) -> None:
    served.status = status
    said = broken(served, tmp_path)
    assert f"answered {status}" in said and "GWEVENT_NED_LVS_URL" in said and "import FILE" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1:1/file.fits", "can't be reached"),
        ("http://[127/file.fits", "can't be reached|can't be used"),
        ("http://127.0.0.1:1/", "is the address of no file"),
        ("http://127.0.0.1:1/..", "is the address of no file"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_sentence(tmp_path: Path, url: str, sentence: str) -> None:
    with httpx.Client() as client, pytest.raises(CatalogueProblem, match=sentence):
        download(url, tmp_path, client, lambda *_: None)


def test_a_secure_address_never_leads_to_an_open_one(served: FileServer, tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": served.url})

    with make_client("https://ned.example/") as client:
        client._transport = httpx.MockTransport(answer)
        client._mounts = {}
        with pytest.raises(CatalogueProblem, match="isn't encrypted"):
            download("https://ned.example/file.fits", tmp_path, client, lambda *_: None)
    assert served.ranges == []


def test_redirects_that_never_end_are_one_sentence(served: FileServer, tmp_path: Path) -> None:
    served.redirect = "/file.fits"
    assert "can't be reached" in broken(served, tmp_path)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_file_without_room_isn_t_begun(
    served: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 4, 6_000_000))
    assert fetch(served, tmp_path / "a", reserve=500_000) == BODY
    with pytest.raises(CatalogueProblem, match="6 MB free: 5 MB are still to come, and 1 MB are needed"):
        fetch(served, tmp_path / "b", reserve=1_000_000)
    assert list((tmp_path / "b").iterdir()) == []


def test_a_folder_that_can_t_be_written_is_one_sentence(served: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogueProblem, match="can't be written"):
        fetch(served, tmp_path / "file" / "folder")


LISTING = """<a href="?C=M">Modified</a> <a href="NEDLVS_20250602.fits">old</a>
<a href='NEDLVS_20260424_v2.fits'>new</a> <A HREF=NEDLVS_20240101.FITS>x</A>
<a href="NEDLVS_20270101.fits.gz">packed</a> <a href="NEDLVS_20280101.fits.sha256">sum</a>"""


def test_of_a_folder_the_newest_release_is_taken(served: FileServer) -> None:
    served.listing = LISTING
    folder = served.url.removesuffix("file.fits")
    with make_client(folder) as client:
        assert newest_release(folder, client) == f"{folder}NEDLVS_20260424_v2.fits"
        assert newest_release(served.url, client) == served.url


@pytest.mark.parametrize("listing", ["", "<html>moved</html>", "x" * 3_000_000, "\0\xff"])
def test_a_folder_without_releases_is_one_sentence(served: FileServer, listing: str) -> None:
    served.listing = listing
    folder = served.url.removesuffix("file.fits")
    with make_client(folder) as client, pytest.raises(CatalogueProblem, match="lists no file NEDLVS_"):
        newest_release(folder, client)
