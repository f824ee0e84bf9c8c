"""Images that the bot serves itself: drawn and stored once for all workspaces."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.delivery.image_worker import ImageWorker
from bot.runtime.wakeups import Wakeups
from bot.samples import ms181101ab, to_avro
from bot.store import schema
from formatters.skymap_image import DrawnPicture
from tests.support.factories import NOW, TEAM, planner, subscribe

PNG = b"\x89PNG\r\n\x1a\n"
TEAMS = (TEAM, "T2", "T3")
MOCK = "MS181101ab"


class Drawer:
    drawn = 0

    async def draw_stored(self, *_: object) -> DrawnPicture:
        self.drawn += 1
        return DrawnPicture(PNG, "Sky map")


class Client:
    """A workspace's token; nothing is uploaded."""


async def record(factory: Factory, number: int = 1) -> int:
    body = to_avro(ms181101ab(NOW)[number])
    notice = replace(decode(body), received=NOW)
    await factory.notices.record(notice, body, "test:1", NOW, planner(NOW), draw_image=True)
    id_ = await factory.notices.notice_id(notice.key)
    assert id_ is not None
    return id_


def worker(factory: Factory, drawer: Drawer) -> ImageWorker:
    clients = dict.fromkeys(TEAMS, Client())
    return ImageWorker(
        factory.images,
        clients,  # type: ignore[arg-type]
        drawer,  # type: ignore[arg-type]
        lambda: NOW,
        Wakeups(),
        serves_images=True,
    )


async def stored_pngs(factory: Factory) -> int:
    query = select(func.count()).select_from(schema.images).where(schema.images.c.png.is_not(None))
    async with factory.database.read_transaction() as connection:
        return int((await connection.execute(query)).scalar_one())


async def work_off(factory: Factory, images: ImageWorker) -> None:
    while (job := await factory.images.next_wanted(NOW)) is not None:
        await images._process(job)


async def test_one_png_is_served_to_all_workspaces(factory: Factory) -> None:
    for team in TEAMS:
        await subscribe(factory, "all mock", f"C{team}", team=team)
    notice_id = await record(factory)
    await factory.leases.heartbeat(set(TEAMS))
    drawer = Drawer()
    images = worker(factory, drawer)
    await work_off(factory, images)
    assert (drawer.drawn, await stored_pngs(factory)) == (1, 1)
    found = [await factory.images.for_notice(team, notice_id) for team in TEAMS]
    tokens = {one.token for one in found if one is not None}
    assert len(tokens) == 1 and None not in found
    (token,) = tokens
    assert token is not None and await factory.images.get_png(token) == PNG
    async with factory.database.read_transaction() as connection:
        threads = {row.team_id: row.id for row in await connection.execute(select(schema.threads))}
    # Each workspace has its own first channel, which finds out whether its Slack can show it.
    shown = await factory.images.for_threads([(team, notice_id, threads[team]) for team in TEAMS])
    assert {key[0]: one.is_canary for key, one in shown.items()} == dict.fromkeys(TEAMS, True)


async def test_a_workspace_that_comes_later_gets_the_same_png(factory: Factory) -> None:
    await subscribe(factory, "all mock", "C1")
    notice_id = await record(factory)
    await factory.leases.heartbeat(set(TEAMS))
    drawer = Drawer()
    images = worker(factory, drawer)
    await work_off(factory, images)
    async with factory.database.exclusive_transaction() as connection:
        first = (await connection.execute(select(schema.images))).one()._asdict()
        later = {k: v for k, v in first.items() if k not in ("id", "token", "png", "trial_thread_id")}
        later |= {"team_id": "T2", "state": "wanted", "alt_text": None}
        await connection.execute(schema.images.insert().values(later))
    await work_off(factory, images)
    assert (drawer.drawn, await stored_pngs(factory)) == (1, 1)
    here, there = [await factory.images.for_notice(team, notice_id) for team in (TEAM, "T2")]
    assert here is not None and there is not None and here.token == there.token
    assert there.alt_text == "Sky map"


async def test_all_rows_of_an_old_mocks_image_are_listed_for_deletion(factory: Factory) -> None:
    for team in TEAMS:
        await subscribe(factory, "all mock", f"C{team}", team=team)
    await record(factory)
    await factory.leases.heartbeat(set(TEAMS))
    images = worker(factory, Drawer())
    await work_off(factory, images)
    old = await factory.images.list_old_mocks(NOW + timedelta(days=30))
    assert sorted(team for _, team, _ in old) == sorted(TEAMS)
    for picture_id, _, _ in old:
        await factory.images.delete(picture_id)
    assert await stored_pngs(factory) == 0
