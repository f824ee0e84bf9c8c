"""Each picture is made by a script, small, and shown somewhere."""

from __future__ import annotations

from PIL import Image

from deploy.pictures.make import FOLDER, MAX_BYTES, PICTURES
from tests.test_docs import links, markdown_files

ICON = "icon"
"""Drawn by icon.py; `test_icon.py` compares."""


def test_every_picture_has_its_script_and_is_small() -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == {*PICTURES, ICON}
    for path in FOLDER.glob("*.png"):
        assert path.stat().st_size <= MAX_BYTES, path.name
        with Image.open(path) as picture:
            picture.verify()


def test_every_picture_is_shown_in_the_documentation() -> None:
    shown = {
        (path.parent / link).resolve() for path in markdown_files() for link in links(path.read_text("utf-8"))
    }
    assert {path for path in FOLDER.glob("*.png") if path not in shown} == set()
