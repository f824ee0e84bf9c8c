"""Pictures with marks: drawn and uploaded once for a workspace, and a sentence where they can't be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.delivery.image_provider import ImageProvider
from bot.samples import bns, to_avro
from bot.skymap_service.image_process import ImageFailed
from formatters.models.superevent import Superevent
from formatters.skymap_image import DrawnPicture, Mark, Marks
from tests.support.factories import NOW, TEAM

MARKS = Marks(title="Galaxies", marks=(Mark(ra=1.0, dec=2.0, number=1, text="A"),))


class Drawer:
    drawn = 0

    async def draw_marked(self, *_: object) -> DrawnPicture:
        self.drawn += 1
        return DrawnPicture(b"png", "A map with marks.")


class Client:
    def __init__(self, *scopes: str) -> None:
        self._scopes = scopes

    def has_scope(self, scope: str) -> bool:
        return scope in self._scopes

    async def upload(self, *_: object) -> str:
        return "F1"


async def test_the_same_marks_are_drawn_once_and_others_again(factory: Factory) -> None:
    notice = replace(decode(to_avro(next(iter(bns(NOW))))), received=NOW)
    superevent = Superevent(notice.superevent_id, (notice,))
    drawer = Drawer()
    clients: Any = {TEAM: Client("files:write"), "T2": Client()}
    provider = ImageProvider(factory.notices, factory.images, clients, drawer)  # type: ignore[arg-type]
    for _ in range(2):
        shown = await provider.marked(TEAM, superevent, notice, MARKS)
        assert (shown.file_id, shown.alt_text) == ("F1", "A map with marks.")
    assert drawer.drawn == 1
    await provider.marked(TEAM, superevent, notice, replace(MARKS, title="Other galaxies"))
    assert drawer.drawn == 2
    with pytest.raises(ImageFailed, match="files:write"):
        await provider.marked("T2", superevent, notice, MARKS)
