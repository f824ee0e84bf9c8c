"""The process that draws: it is started, renewed, ended and survived."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import samples
from bot.cli.main import app
from bot.skymap_service import image_process
from bot.skymap_service.image_process import ImageFailed, ImageProcess, draw_in_process
from formatters.models.notice import INITIAL, PRELIMINARY, RETRACTION
from formatters.models.superevent import Superevent
from tests.support.images import sample

pytestmark = pytest.mark.process


@pytest.fixture
async def drawing() -> AsyncIterator[ImageProcess]:
    found = ImageProcess()
    yield found
    await found.close()


def stand_in(monkeypatch: pytest.MonkeyPatch, work: object, argument: object) -> None:
    """Have the process do something else; what it does must be known there too."""
    monkeypatch.setattr(image_process, "render", work)
    monkeypatch.setattr(image_process, "_create_job", lambda *_: argument)


async def test_a_picture_and_its_words_come_back(drawing: ImageProcess) -> None:
    one, two = await asyncio.gather(
        drawing.draw(*sample("a mock")),
        drawing.draw(*sample("combined")),
    )
    assert one.png.startswith(b"\x89PNG") and two.png.startswith(b"\x89PNG")
    assert one.alt_text.startswith("MOCK, no real event. Sky map of MS261120a")
    assert two.alt_text.startswith("Combined sky map of S261120a")
    assert one == draw_in_process(*sample("a mock")), "a picture depends on nothing but the notice"


async def test_hanging_drawing_is_killed_and_the_next_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = ImageProcess(timeout_s=1.0)
    with monkeypatch.context() as patch:
        stand_in(patch, time.sleep, 3600)
        with pytest.raises(ImageFailed, match=r"failed twice.*longer than 1 s"):
            await drawing.draw(*sample("a tile"))
    with monkeypatch.context() as patch:
        stand_in(patch, len, "four")
        patch.setattr(image_process, "_drawn_picture", lambda _, told: told)
        told: object = await drawing.draw(*sample("a tile"))
        assert told == 4
    await drawing.close()


async def test_crash_of_the_process_raises_image_failed(
    drawing: ImageProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stand_in(patch, os._exit, 3)
        with pytest.raises(ImageFailed, match=r"failed twice.*died"):
            await drawing.draw(*sample("a tile"))
        stand_in(patch, len, 3)
        with pytest.raises(ImageFailed, match="TypeError"):
            await drawing.draw(*sample("a tile"))
    assert (await drawing.draw(*sample("a tile"))).png.startswith(b"\x89PNG")


async def test_the_process_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = ImageProcess(images_per_process=2)
    stand_in(monkeypatch, eval, "__import__('os').getpid()")
    monkeypatch.setattr(image_process, "_drawn_picture", lambda _, told: told)
    ids: list[object] = [await drawing.draw(*sample("a tile")) for _ in range(5)]
    await drawing.close()
    assert ids[0] == ids[1] != ids[2] == ids[3] != ids[4]
    assert os.getpid() not in ids


async def test_close_fails_drawings_in_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = ImageProcess()
    stand_in(monkeypatch, time.sleep, 3600)
    waiting = [asyncio.create_task(drawing.draw(*sample("a tile"))) for _ in range(3)]
    await asyncio.sleep(0.2)
    await asyncio.wait_for(drawing.close(), 20)
    for error in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(error, ImageFailed)
    with pytest.raises(ImageFailed, match="stopping"):
        await drawing.draw(*sample("a tile"))
    await drawing.close()


async def test_cancelled_caller_ends_the_process(
    drawing: ImageProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stand_in(patch, time.sleep, 3600)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(drawing.draw(*sample("a tile")), 0.5)
    assert (await drawing.draw(*sample("a tile"))).png.startswith(b"\x89PNG")


async def test_nothing_to_draw_starts_no_process(drawing: ImageProcess) -> None:
    superevent, gw_map, _ = sample("a tile")
    retraction = replace(superevent.latest, alert_type=RETRACTION, event=None, localization=None)
    for case, fits in ((Superevent.from_notices([retraction]), gw_map), (superevent, None)):
        with pytest.raises(ImageFailed, match="no sky map to draw"):
            await drawing.draw(case, fits)
    assert drawing.pid is None


async def test_a_map_that_cant_be_read_says_why(drawing: ImageProcess) -> None:
    superevent, gw_map, _ = sample("a tile")
    with pytest.raises(ImageFailed) as caught:
        await drawing.draw(superevent, gw_map[:4000])
    with pytest.raises(ImageFailed) as here:
        draw_in_process(superevent, gw_map[:4000])
    assert caught.value.reason == here.value.reason != ""


def test_preview_writes_the_newest_notices_picture(tmp_path: Path) -> None:
    made = samples.ms181101ab(datetime.now(UTC))
    early, later = (next(r for r in made if r["alert_type"] == stage) for stage in (PRELIMINARY, INITIAL))
    notices, out = [tmp_path / "later.avro", tmp_path / "early.avro"], tmp_path / "sky.png"
    for path, record in zip(notices, (later, early), strict=True):
        path.write_bytes(samples.to_avro(record))
    ask = ["preview", *map(str, notices), "--format", "png"]
    done = CliRunner().invoke(app, [*ask, "-o", str(out)])
    assert done.exit_code == 0
    assert "INITIAL" in done.stdout and "90 % credible region" in done.stdout
    assert out.read_bytes().startswith(b"\x89PNG")
    for wrong, said in ((ask, "name it with -o"), ([*ask, "-o", str(tmp_path / "no" / "x")], "No such file")):
        refused = CliRunner().invoke(app, wrong)
        assert refused.exit_code == 2
        assert said in refused.stderr


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc/self/status")
def test_drawing_stays_below_400_mib(tmp_path: Path) -> None:
    superevent, gw_map, combined = sample("combined")
    assert combined is not None
    (tmp_path / "gw").write_bytes(gw_map)
    (tmp_path / "combined").write_bytes(combined)
    (tmp_path / "notice").write_text(superevent.latest.to_json())
    code = """
import sys
from pathlib import Path
from typer.testing import CliRunner

from bot.cli.main import app
from bot.skymap_service import image_process
from bot import samples
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
folder = Path(sys.argv[1])
superevent = Superevent.from_notices([Notice.from_json((folder / "notice").read_text())])
image_process.warm_up()
gw_map, combined = (folder / "gw").read_bytes(), (folder / "combined").read_bytes()
for _ in range(4):
    image_process.draw_in_process(superevent, gw_map, combined)
# Not ru_maxrss: Linux hands the parent's peak on to the child.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(int(peak.split()[1]) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 400
