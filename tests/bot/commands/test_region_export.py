"""The 90 % region as files: `<id> moc` and `<id> ds9`, on published notices and by formula."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.commands.context import CommandContext
from bot.samples import bns, edge_cases, to_avro
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import MESSAGE_TOTAL_MAX
from formatters.models.notice import Notice
from formatters.terminal import message_text
from formatters.text import quantities
from tests.support.factories import NOW, TEAM, Clock, planner

ASKER = CommandContext(TEAM, "C1", "U0ASKER")
POLYGON = re.compile(r"polygon\((?:-?\d+\.\d+,-?\d+\.\d+,?){4,}\)")
ELLIPSE = re.compile(
    r"icrs; ellipse\(\d\dh\d\dm\d\ds, [+-]\d\dd\d\dm\d\ds, \d+\.\d\dd, \d+\.\d\dd, \d+\.\d\dd\)"
)


async def stored(factory: Factory, body: bytes) -> Notice:
    notice = replace(decode(body), received=NOW)
    await factory.notices.record(notice, body, "test:1", NOW, planner(NOW))
    return notice


async def ask(factory: Factory, words: str, context: CommandContext | None = None) -> Message:
    return await factory.create_command_router(Clock(), image_provider=None).dispatch(words, context)


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


def code_blocks(message: Message) -> list[str]:
    """Return the texts of the code blocks."""
    return [
        element["elements"][0]["text"]
        for block in message.blocks
        if block["type"] == "rich_text"
        for element in block["elements"]
        if element["type"] == "rich_text_preformatted"
    ]


@pytest.mark.parametrize("context", [ASKER, None], ids=["Slack", "terminal"])
async def test_region_file_of_a_small_map_has_the_ellipse_and_every_line_is_ds9s(
    factory: Factory, shared_notices: Path, context: CommandContext | None
) -> None:
    notice = await stored(factory, (shared_notices / "real/S241102br-initial.json").read_bytes())
    message = await ask(factory, "S241102br ds9", context)
    ellipse, file = code_blocks(message)
    assert ELLIPSE.fullmatch(ellipse) and ellipse.endswith("7.08d, 2.10d, 96.84d)")
    header, comment, shape, frame, *cells = file.split("\n")
    assert header == "# Region file format: DS9 version 4.1"
    assert comment.startswith("# S241102br INITIAL: 90% credible region")
    assert shape == ellipse and frame == "icrs" and cells
    assert all(POLYGON.fullmatch(cell) for cell in cells)
    text = message_text.render(message)
    assert notice.localization is not None
    assert f"The region of {plain(quantities.area(notice.localization.area_90))} is well fit by" in text
    if context is not None:
        assert len(str(message.blocks)) < MESSAGE_TOTAL_MAX and "coarsened to" in text
    else:
        assert "coarsened" not in text


@pytest.mark.parametrize(
    "name", ["S230522a-Preliminary_alert", "S230518h-Initial_alert", "S241125n-UPDATE-RAVEN"]
)
async def test_region_file_says_why_no_ellipse_describes_the_region(
    factory: Factory, shared_notices: Path, name: str
) -> None:
    await stored(factory, (shared_notices / f"real/{name}.json").read_bytes())
    message = await ask(factory, f"{name.partition('-')[0]} ds9", ASKER)
    (file,) = code_blocks(message)
    assert "ellipse" not in file and "No ellipse describes the region" in message_text.render(message)
    assert len(str(message.blocks)) < MESSAGE_TOTAL_MAX


async def test_region_file_of_the_combined_map_says_so(factory: Factory) -> None:
    for one in bns(NOW)[:4]:
        notice = await stored(factory, to_avro(one))
    assert notice.external is not None and notice.external.localization is not None
    message = await ask(factory, f"{notice.superevent_id} ds9", ASKER)
    assert "combined map" in message.text and "combined map" in code_blocks(message)[-1]


@pytest.mark.slow
@pytest.mark.parametrize("make", [edge_cases.few_rows, edge_cases.many_rows, edge_cases.amplfi])
@pytest.mark.parametrize("word", ["moc", "ds9"])
async def test_any_maps_region_fits_into_a_message_with_the_cards_area(
    factory: Factory, make: object, word: str
) -> None:
    assert callable(make)
    notice = await stored(factory, to_avro(edge_cases.with_map(NOW, make())))
    message = await ask(factory, f"{notice.superevent_id} {word}", ASKER)
    assert notice.localization is not None
    assert plain(message.text).endswith(f"{plain(quantities.area(notice.localization.area_90))}.")
    assert sum(map(len, code_blocks(message))) <= 6_200


@pytest.mark.parametrize("word", ["moc", "ds9"])
async def test_event_without_a_map_has_no_region(factory: Factory, word: str) -> None:
    notice = await stored(factory, to_avro(edge_cases.without_map(NOW)))
    text = message_text.render(await ask(factory, f"{notice.superevent_id} {word}", ASKER))
    assert "No sky map" in text
