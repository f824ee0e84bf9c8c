"""The icon is what its script draws, wherever it lies."""

from __future__ import annotations

import runpy
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "deploy/pictures"
COPIES = ("bot/slack/icon.svg", "bot/local_slack/page/src/icon.svg", "bot/local_slack/page/static/icon.svg")


def test_the_files_are_what_the_script_draws() -> None:
    script = runpy.run_path(str(PICTURES / "icon.py"))
    svg = (PICTURES / "icon.svg").read_text(encoding="utf-8")
    assert svg == script["to_svg"]()
    assert {copy: (ROOT / copy).read_text(encoding="utf-8") for copy in COPIES} == dict.fromkeys(COPIES, svg)
    with Image.open(PICTURES / "icon.png") as png:
        assert png.size == (512, 512)
        difference = ImageChops.difference(png.convert("RGB"), script["to_image"]())
    # The file has 64 colours, so single pixels at edges differ.
    assert max(ImageStat.Stat(difference).mean) < 0.5
