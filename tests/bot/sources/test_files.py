import os
from pathlib import Path

import pytest

from bot.sources import files
from bot.sources.base import Origin, SourceConfigError
from bot.sources.files import file_origin, read_notice_files

AVRO = b'Obj\x01\x04\x14avro.codec\x08null {"name": "superevent_id"}'
NOTICE = b'{"superevent_id": "MS181101ab", "alert_type": "RETRACTION", "event": null}'


class Skipped(dict[str, str]):
    def __call__(self, path: Path, reason: str) -> None:
        self[path.name] = reason


def test_finds_notices_by_content_in_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notice.txt").write_bytes(AVRO)
    (tmp_path / "a.json").write_bytes(b"\n  " + NOTICE)
    (tmp_path / "c.avro").write_bytes(b"[" + NOTICE + b"]")
    skipped = Skipped()
    found = [path.relative_to(tmp_path).as_posix() for path, _ in read_notice_files([tmp_path], skipped)]
    assert found == ["a.json", "b/notice.txt", "c.avro"]
    assert not skipped


def test_says_why_it_leaves_a_file_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1000)
    (tmp_path / "readme.md").write_text("# Notices with superevent_id")
    (tmp_path / "index.json").write_bytes(b'{"a.json": ' + NOTICE + b"}")
    (tmp_path / "superevent.json").write_bytes(b'{"superevent_id": "S1"}')
    (tmp_path / "empty.avro").touch()
    (tmp_path / "large.avro").write_bytes(AVRO + b"\0" * 1000)
    os.mkfifo(tmp_path / "pipe.avro")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    skipped = Skipped()
    assert list(read_notice_files([tmp_path], skipped)) == []
    assert skipped == {
        "readme.md": "neither Avro nor JSON",
        "index.json": "JSON, but no notice",
        "superevent.json": "JSON, but no notice",
        "empty.avro": "empty",
        "large.avro": f"{1000 + len(AVRO):,} bytes, more than 1,000",
        "pipe.avro": "not a regular file",
        "gone.json": "not a regular file",
    }


def test_a_damaged_notice_is_one_still(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_bytes(NOTICE[:-5])
    assert [body for _, body in read_notice_files([tmp_path], Skipped())] == [NOTICE[:-5]]


def test_a_file_named_on_its_own_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "anything"
    path.write_bytes(b"hello")
    assert list(read_notice_files([path], Skipped())) == [(path, b"hello")]


def test_refuses_a_path_that_doesnt_exist_before_reading_any(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(NOTICE)
    with pytest.raises(SourceConfigError, match=r"^There is no file or folder .*nowhere\.$"):
        next(read_notice_files([path, tmp_path / "nowhere"], Skipped()))


def test_finds_every_real_notice(shared_notices: Path) -> None:
    skipped = Skipped()
    names = {path.name for path, _ in read_notice_files([shared_notices], skipped)}
    assert {path.name for path in (shared_notices / "official").glob("MS*")} <= names
    assert {path.name for path in (shared_notices / "mock").glob("MS*")} <= names
    assert {"README.md", "expected.json", "S1234_superevent.json"} <= set(skipped)


def test_only_a_post_is_live(tmp_path: Path) -> None:
    assert file_origin(tmp_path / "a") == Origin("file", str(tmp_path / "a"), False)
    assert file_origin(tmp_path / "a", live=True).live
