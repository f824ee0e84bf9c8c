"""`gwevent catalogue`: what it says, what it leaves when it fails or is killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from bot.cli.catalogue import _complete_installed
from bot.cli.catalogue_job import name_catalogue
from bot.cli.main import app
from bot.galaxies.catalogue_index import CatalogueProblem, catalogue_slugs, open_catalogue
from tests.support.file_server import FileServer, file_server
from tests.support.galaxies import made_catalogue, made_columns, write_csv, write_fits

REPOSITORY = Path(__file__).resolve().parents[3]
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `gwevent catalogue …` with the folder `catalogues` beside a SQLite file that doesn't exist."""
    for name in list(os.environ):
        if name.startswith(("SLACK_", "GWEVENT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GWEVENT_DATABASE_URL", f"sqlite:///{tmp_path / 'gwevent.sqlite'}")
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, ["catalogue", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "catalogues"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    """Serve a release of NED-LVS, and its folder's listing."""
    with file_server(write_fits(tmp_path / "served.fits", made_columns(3_000)).read_bytes()) as server:
        server.listing = '<a href="NEDLVS_20260424.fits">'
        monkeypatch.setenv("GWEVENT_NED_LVS_URL", server.url.removesuffix("file.fits"))
        yield server


def refused(result: Result) -> str:
    """Return the one sentence of a command that exited with status 2."""
    assert result.exit_code == 2, result.output
    *before, said = [line for line in result.stderr.splitlines() if line.startswith("gwevent: ")]
    assert result.stdout == "" and len(before) <= 1 and said.endswith("."), result.output
    return said


def visible(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name != ".import.lock")


def test_import_says_what_it_kept_and_left_out(run: Run, tmp_path: Path, folder: Path) -> None:
    columns = made_columns(300)
    columns["objtype"][:7] = b"*"
    result = run("import", write_fits(tmp_path / "NEDLVS_20260424.fits", columns))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"ned-lvs: NED-LVS 20260424, 293 galaxies to \d+ Mpc, 0 MB\.", lines[0])
    assert lines[1] == "Rows left out: 7 no galaxies."
    assert re.fullmatch(
        r"Stellar masses: 97 the file's own, 98 by the magnitude in K, 98 unknown: the median, 10\^10\.\d"
        r" solar masses, stands for it\.",
        lines[2],
    )
    assert lines[3] == "29 have a redshift that the file calls questionable; answers say so."
    assert lines[4] == f"It is in {folder}. Used is ned-lvs; a running bot sees that by itself."
    assert "300 rows, which take up to 0 MB while they are imported" in result.stderr
    assert open_catalogue(folder, "ned-lvs").rows.size == 293


def test_list_names_each_catalogue_and_marks_the_one_that_is_used(
    run: Run, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = run("list")
    assert empty.exit_code == 0 and "There is no catalogue in" in empty.stdout
    assert "gwevent catalogue fetch ned-lvs" in empty.stdout
    run("import", write_csv(tmp_path / "my own.csv", made_columns(20)))
    run("import", write_fits(tmp_path / "x.fits", made_columns(30)), "--name", "Later")
    lines = run("list").stdout.splitlines()
    assert re.fullmatch(r"\* later: Later, 30 galaxies to \d+ Mpc, 0 MB, imported \d{4}-\d\d-\d\d", lines[0])
    assert lines[1].startswith("  my-own: my own, 20 galaxies")
    assert lines[2] == f"In {folder}; * is used."
    monkeypatch.setenv("GWEVENT_CATALOGUE", "my-own")
    assert run("list").stdout.splitlines()[1].startswith("* my-own")
    monkeypatch.setenv("GWEVENT_CATALOGUE", "other")
    missing = run("list")
    assert missing.exit_code == 1 and "GWEVENT_CATALOGUE names other, which isn't there." in missing.stdout


def test_list_says_which_catalogue_is_damaged(run: Run, tmp_path: Path, folder: Path) -> None:
    run("import", write_csv(tmp_path / "one.csv", made_columns(20)))
    next(folder.glob("one-*.npy")).write_bytes(b"nothing")
    result = run("list")
    assert result.exit_code == 1
    assert result.stdout.startswith("* The catalogue one can't be read: ")
    assert "import it again" in result.stdout


def test_remove_leaves_nothing_of_a_catalogue_damaged_or_not(run: Run, tmp_path: Path, folder: Path) -> None:
    for name in ("one", "one-two"):
        run("import", write_csv(tmp_path / "x.csv", made_columns(20)), "--name", name)
    next(folder.glob("one-????????.npy")).write_bytes(b"nothing")
    assert "There is no catalogue three in" in refused(run("remove", "three"))
    assert "there are: one, one-two." in refused(run("remove", "../one"))
    result = run("remove", "one")
    assert result.exit_code == 0
    assert (
        result.stdout
        == f"one is removed from {folder}. Used is one-two; a running bot sees that by itself.\n"
    )
    assert catalogue_slugs(folder) == ["one-two"] and len(visible(folder)) == 2
    assert run("remove", "one-two").stdout.endswith("None is left.\n")
    assert visible(folder) == []
    assert "there is none at all" in refused(run("remove", "one-two"))


@pytest.mark.parametrize(
    ("file", "given", "found"),
    [
        ("NEDLVS_20260424.fits", None, ("ned-lvs", "NED-LVS 20260424")),
        ("nedlvs_20260424_v2.fits", "lvs", ("lvs", "NED-LVS 20260424")),
        ("My Galaxies (2026).csv", None, ("my-galaxies-2026", "My Galaxies (2026)")),
        ("glade.csv", " GLADE ", ("glade", "GLADE")),
        ("x" * 90, None, ("x" * 30, "x" * 60)),
        ("\x1b[31m\nred.csv", None, ("31m-red", "[31m red")),
    ],
)
def test_a_catalogue_is_called_by_its_files_name(
    file: str, given: str | None, found: tuple[str, str]
) -> None:
    assert name_catalogue(file, given) == found


@pytest.mark.parametrize(
    ("file", "given"), [("星.csv", None), ("a.csv", "../a"), ("a.csv", ""), ("...", None)]
)
def test_a_name_that_can_t_be_used_is_one_sentence(file: str, given: str | None) -> None:
    with pytest.raises(CatalogueProblem, match="--name"):
        name_catalogue(file, given)


@pytest.mark.slow
def test_each_failure_of_import_is_one_sentence(run: Run, tmp_path: Path, folder: Path) -> None:
    good = write_fits(tmp_path / "good.fits", made_columns(2_000))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "text.csv").write_text("name,ra,dec,z\na,far,away,1\n")
    (tmp_path / "cut.fits").write_bytes(good.read_bytes()[:-5_760])
    run("import", good)
    before = visible(folder)
    assert "none.fits can't be read: No such file" in refused(run("import", "none.fits"))
    assert "can't be read: Is a directory" in refused(run("import", tmp_path))
    assert "is no table" in refused(run("import", "empty.csv"))
    assert "holds no galaxy" in refused(run("import", "text.csv"))
    assert "cut off" in refused(run("import", "cut.fits"))
    assert "--name a/b can't be used" in refused(run("import", good, "--name", "a/b"))
    assert "Only ned-lvs can be fetched" in refused(run("fetch", "glade"))
    with FileLock(folder / ".import.lock"):
        assert "Another gwevent catalogue is at work" in refused(run("import", good))
    assert visible(folder) == before


def test_import_without_room_isn_t_begun(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    file = write_fits(tmp_path / "good.fits", made_columns(20_000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 8, 2_000_000))
    said = refused(run("import", file))
    assert "20,000 rows, which take up to 3 MB" in said and "has 2 MB free" in said


def test_a_folder_that_can_t_be_written_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_fits(tmp_path / "good.fits", made_columns(20))
    monkeypatch.setenv("GWEVENT_CATALOGUE_DIR", str(file / "below"))
    assert f"{file / 'below'} can't be written: " in refused(run("import", file))


@pytest.mark.slow
def test_fetch_takes_the_newest_release_once(run: Run, served: FileServer, folder: Path) -> None:
    result = run("fetch", "ned-lvs")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("ned-lvs: NED-LVS 20260424, 3,000 galaxies")
    assert [name.partition("-")[0] for name in visible(folder)] == ["ned", "ned"]
    again = run("fetch", "NED-LVS")
    assert "NEDLVS_20260424.fits is here already: NED-LVS 20260424, 3,000 galaxies" in again.stdout
    served.listing += '<a href="NEDLVS_20270101.fits">'
    assert run("fetch", "ned-lvs", "--keep").stdout.startswith("ned-lvs: NED-LVS 20270101")
    assert [file.name for file in (folder / "downloads").iterdir()] == ["NEDLVS_20270101.fits"]


def test_fetch_goes_on_after_it_was_cut_off(run: Run, served: FileServer, folder: Path) -> None:
    (folder / "downloads").mkdir(parents=True)
    for left in ("NEDLVS_20240101.fits.part", "NEDLVS_20240101.fits.etag"):
        (folder / "downloads" / left).write_text("of an older release")
    served.cut_after = 100_000
    assert "broke off after 100,000 of" in refused(run("fetch", "ned-lvs"))
    served.cut_after = None
    assert run("fetch", "ned-lvs").exit_code == 0
    assert served.ranges[-1] == "bytes=100000-"
    assert not (folder / "downloads").exists()


@pytest.mark.slow
def test_fetch_of_a_page_that_is_no_catalogue_is_one_sentence_and_tried_anew(
    run: Run, served: FileServer, folder: Path
) -> None:
    good, served.body = served.body, b"<html>Please log in</html>"
    assert "didn't bring a catalogue" in refused(run("fetch", "ned-lvs"))
    served.body = good
    assert run("fetch", "ned-lvs").exit_code == 0


@pytest.mark.parametrize("status", [404, 500])
def test_fetch_from_a_moved_address_says_what_to_do(run: Run, served: FileServer, status: int) -> None:
    served.status = status
    said = refused(run("fetch", "ned-lvs"))
    assert f"answered {status}" in said and "GWEVENT_NED_LVS_URL" in said


def test_a_shell_completes_the_names_that_are_there(run: Run, tmp_path: Path) -> None:
    assert _complete_installed() == []
    run("import", write_csv(tmp_path / "one.csv", made_columns(20)))
    assert _complete_installed() == ["one"]


def start_import(tmp_path: Path, file: Path, before: str = "") -> subprocess.Popen[str]:
    """Start an import as a process; `before` runs in it first."""
    return start(tmp_path, "import", str(file), "--name", "made", before=before)


def start(tmp_path: Path, *arguments: str, before: str = "", **settings: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GWEVENT_")}
    environment["GWEVENT_DATABASE_URL"] = f"sqlite:///{tmp_path / 'gwevent.sqlite'}"
    environment |= settings
    program = f"import sys; sys.argv[0] = 'gwevent'\n{before}\nfrom bot.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "catalogue", *arguments],
        cwd=REPOSITORY,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("step", ["while it reads", "while it sorts", "before the last step"])
def test_a_killed_import_leaves_the_old_catalogue_and_the_next_one_cleans_up(
    tmp_path: Path, folder: Path, step: str
) -> None:
    made_catalogue(tmp_path, made_columns(1_000))
    file = write_fits(tmp_path / "next.fits", made_columns(150_000, seed=5))
    wait, pattern = {
        "while it reads": ("", ".made.rows.part"),
        "while it sorts": ("", ".made-*.npy.part"),
        "before the last step": (
            "import time; from bot.galaxies import import_job\n"
            "import_job.publish_catalogue = lambda *_: time.sleep(60)",
            "made-*.npy",
        ),
    }[step]
    old = set(folder.iterdir())
    process = start_import(tmp_path, file, wait)
    while process.poll() is None and not [
        one for one in folder.glob(pattern) if one not in old and one.stat().st_size > 1_000_000
    ]:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert set(folder.iterdir()) - old - {folder / ".import.lock"}, "killed too late"
    assert open_catalogue(folder, "made").rows.size == 1_000
    again = start_import(tmp_path, file)
    assert again.wait() == 0, again.communicate()
    again.communicate()
    assert open_catalogue(folder, "made").rows.size == 150_000
    assert len(visible(folder)) == 2


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("limit", [5_000_000, 10_000])
def test_a_file_that_can_t_grow_ends_in_one_sentence_and_the_old_catalogue_stays(
    tmp_path: Path, folder: Path, limit: int
) -> None:
    made_catalogue(tmp_path, made_columns(1_000))
    before = visible(folder)
    file = write_fits(tmp_path / "next.fits", made_columns(100_000, seed=5))
    # What a full disk does to a write, with another number.
    process = start_import(
        tmp_path, file, f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    )
    _, said = process.communicate()
    assert process.returncode == 2
    last = said.splitlines()[-1]
    assert "can't be written in" in last and last.endswith("What was there before stays."), said
    assert visible(folder) == before
    assert open_catalogue(folder, "made").rows.size == 1_000


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_fetch_that_was_stopped_goes_on_from_there(
    tmp_path: Path, folder: Path, served: FileServer, number: signal.Signals
) -> None:
    url = {"GWEVENT_NED_LVS_URL": served.url.replace("file.fits", "NEDLVS_20260424.fits")}
    served.stall_after = 200_000
    part = folder / "downloads" / "NEDLVS_20260424.fits.part"
    process = start(tmp_path, "fetch", "ned-lvs", **url)
    while process.poll() is None and not (part.exists() and part.stat().st_size > 100_000):
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate()
    if number is signal.SIGINT:
        assert process.returncode == 130
        assert said.splitlines()[-1] == "gwevent: Stopped; what was there before stays."
    there = part.stat().st_size
    served.stall_after = None
    served.go_on.set()
    again = start(tmp_path, "fetch", "ned-lvs", **url)
    out, said = again.communicate()
    assert again.returncode == 0, said
    assert out.startswith("ned-lvs: NED-LVS 20260424, 3,000 galaxies")
    assert served.ranges == [None, f"bytes={there}-"]
