"""Pictures on their way: words first, the picture by an edit, and never another notice's."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from bot.delivery.retry_policy import FILE_READY_TIMEOUT
from bot.local_slack.server import LocalSlack
from bot.routing.delivery_times import IMAGE_WAIT
from bot.samples import to_avro
from bot.samples.edge_cases import few_rows
from bot.skymap_service import image_process as drawing
from bot.skymap_service.image_process import ImageFailed, ImageProcess
from formatters.models.notice import RETRACTION, Category, Notice
from formatters.models.superevent import Superevent
from formatters.posts.event_buttons import TOGGLE_OBSERVER_ACTION
from formatters.skymap_image import DrawnPicture
from tests.support import bot_process as worlds
from tests.support.app_harness import ORIGIN, AppHarness, open_app_harness, plain_text
from tests.support.bot_process import LocalDeployment
from tests.support.factories import REAL, notice_record
from tests.support.messages import Json
from tests.support.observing import say_observing
from tests.support.waiting import wait_until

PNG = b"\x89PNG\r\n\x1a\n"
MOCK = f"M{REAL}"


class InstantImageProcess(ImageProcess):
    """Draws nothing, and says of what; may wait, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[str] = []
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.fails = 0

    async def draw(
        self, superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None = None
    ) -> DrawnPicture:
        await self.may_go.wait()
        assert gw_map is not None
        self.drawn.append(superevent.latest.alert_type)
        if self.fails:
            self.fails -= 1
            raise ImageFailed("The process that draws pictures died.")
        return DrawnPicture(PNG, f"Sky map of {superevent.superevent_id}, {superevent.latest.alert_type}")


def real_only(notice: Notice) -> bool:
    return notice.category is Category.REAL


def avro(alert_type: str = "PRELIMINARY", minutes: float = 0, name: str = REAL) -> bytes:
    return to_avro(notice_record(name, alert_type, minutes, skymap=few_rows()))


def image(message: Json) -> Json | None:
    found = [block for block in message["blocks"] if block["type"] == "image"]
    return found[0] if found else None


def shown_alert_type(app_harness: AppHarness, channel: str) -> str | None:
    """The alert type whose picture a root shows, by the name of the file that Slack has."""
    roots = app_harness.roots(channel)
    block = image(roots[0]) if roots else None
    if block is None:
        return None
    workspace, _ = app_harness.local_slack.find(channel)
    file = workspace.files[block["slack_file"]["id"]]
    assert file.alt_text == block["alt_text"]
    return file.alt_text.rsplit(", ")[-1]


def count_image_edits(app_harness: AppHarness, channel: str) -> int:
    """How many edits of a channel carried a picture."""
    return len([c for c in app_harness.calls("chat.update", channel) if image(c.args) is not None])


@pytest.fixture
def quick() -> InstantImageProcess:
    return InstantImageProcess()


@pytest.fixture
async def local_slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack(limits=False, file_delay=0.0) as local:
        yield local


@pytest.fixture
async def app_harness(
    tmp_path: Path, local_slack: LocalSlack, quick: InstantImageProcess
) -> AsyncIterator[AppHarness]:
    async with open_app_harness(tmp_path, local_slack, should_draw=real_only, image_process=quick) as made:
        yield made


async def wake_until(app_harness: AppHarness, true: Callable[[], object]) -> None:
    """Wake the workers until something is so."""

    def so() -> object:
        app_harness.worker.wake()
        app_harness.image_worker.wake()
        return true()

    await wait_until(so, what="the picture is where it belongs")


async def receive(app_harness: AppHarness, *bodies: bytes) -> None:
    for body in bodies:
        await app_harness.pipeline.handle(body, ORIGIN)


async def test_the_picture_comes_by_an_edit_after_the_first_words(
    app_harness: AppHarness, quick: InstantImageProcess
) -> None:
    one, two = await app_harness.create_subscribed_channels(2)
    quick.may_go.clear()
    await app_harness.ingest(avro())
    assert [shown_alert_type(app_harness, c) for c in (one, two)] == [None, None]
    assert "picture" not in plain_text(app_harness.root(one))
    quick.may_go.set()
    await wake_until(
        app_harness, lambda: shown_alert_type(app_harness, one) and shown_alert_type(app_harness, two)
    )
    assert shown_alert_type(app_harness, one) == shown_alert_type(app_harness, two) == "PRELIMINARY"
    assert (count_image_edits(app_harness, one), count_image_edits(app_harness, two)) == (1, 1)
    assert quick.drawn == ["PRELIMINARY"]
    assert len(app_harness.calls("files.completeUploadExternal")) == 1


async def test_canary_channel_gets_image_before_others(app_harness: AppHarness) -> None:
    app_harness.local_slack.file_server.delay = math.inf
    channels = await app_harness.create_subscribed_channels(5)
    await receive(app_harness, avro())
    await wake_until(app_harness, lambda: any(count_image_edits(app_harness, c) for c in channels))
    for _ in range(4):
        await app_harness.advance(seconds=5)
    tried = {c: count_image_edits(app_harness, c) for c in channels}
    (trying,) = [c for c, count in tried.items() if count]
    assert tried[trying] >= 3
    assert all(shown_alert_type(app_harness, c) is None for c in channels), "the words stand"
    (file,) = app_harness.local_slack.workspace.files
    app_harness.local_slack.settle_file(file)
    await app_harness.advance(seconds=30)
    await wake_until(app_harness, lambda: all(shown_alert_type(app_harness, c) for c in channels))
    await app_harness.wait_until_delivered()
    assert all(count_image_edits(app_harness, c) == 1 for c in channels if c != trying)


async def test_image_never_ready_keeps_text(app_harness: AppHarness) -> None:
    app_harness.local_slack.file_server.delay = math.inf
    one, two = await app_harness.create_subscribed_channels(2)
    await receive(app_harness, avro())
    await wake_until(
        app_harness, lambda: count_image_edits(app_harness, one) + count_image_edits(app_harness, two)
    )
    app_harness.clock.advance(seconds=FILE_READY_TIMEOUT.total_seconds() + 1)
    await app_harness.wait_until_delivered()
    before = count_image_edits(app_harness, one) + count_image_edits(app_harness, two)
    (file,) = app_harness.local_slack.workspace.files
    app_harness.local_slack.settle_file(file)
    await app_harness.advance(minutes=10)
    await app_harness.wait_until_delivered()
    assert count_image_edits(app_harness, one) + count_image_edits(app_harness, two) == before
    assert shown_alert_type(app_harness, one) is None and shown_alert_type(app_harness, two) is None


async def test_edit_waits_for_its_image_only(app_harness: AppHarness, quick: InstantImageProcess) -> None:
    one, two = channels = await app_harness.create_subscribed_channels(2)
    await app_harness.ingest(avro())
    await wake_until(
        app_harness, lambda: shown_alert_type(app_harness, one) and shown_alert_type(app_harness, two)
    )
    await app_harness.wait_until_delivered()
    quick.may_go.clear()
    edits = len(app_harness.calls("chat.update"))
    await receive(app_harness, avro("INITIAL", 20))
    await app_harness.run_rounds()
    assert len(app_harness.calls("chat.update")) == edits, "one edit is to do both"
    await app_harness.advance(seconds=IMAGE_WAIT.total_seconds() + 0.1)
    await wake_until(app_harness, lambda: all("INITIAL" in plain_text(app_harness.root(c)) for c in channels))
    assert shown_alert_type(app_harness, one) is shown_alert_type(app_harness, two) is None, (
        "no picture of another notice"
    )
    quick.may_go.set()
    await wake_until(
        app_harness, lambda: all(shown_alert_type(app_harness, c) == "INITIAL" for c in channels)
    )


async def test_news_and_picture_come_in_one_edit(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await receive(app_harness, avro())
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel))
    await app_harness.wait_until_delivered()
    before = len(app_harness.calls("chat.update", channel))
    await receive(app_harness, avro("INITIAL", 20))
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel) == "INITIAL")
    await app_harness.wait_until_delivered()
    assert len(app_harness.calls("chat.update", channel)) == before + 1


async def test_a_file_that_isnt_ready_doesnt_hold_up_news(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await receive(app_harness, avro())
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel))
    app_harness.local_slack.file_server.delay = math.inf
    before = count_image_edits(app_harness, channel)
    await receive(app_harness, avro("INITIAL", 20))
    await wake_until(app_harness, lambda: count_image_edits(app_harness, channel) > before)
    app_harness.clock.advance(seconds=IMAGE_WAIT.total_seconds() + 0.1)
    await wake_until(app_harness, lambda: "INITIAL" in plain_text(app_harness.root(channel)))
    assert shown_alert_type(app_harness, channel) is None
    for file in app_harness.local_slack.workspace.files:
        app_harness.local_slack.settle_file(file)
    await app_harness.advance(seconds=30)
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel) == "INITIAL")


async def test_without_the_scope_nothing_is_uploaded_and_edits_dont_wait(
    tmp_path: Path, local_slack: LocalSlack, quick: InstantImageProcess
) -> None:
    local_slack.ungrant("files:write")
    async with open_app_harness(
        tmp_path, local_slack, should_draw=real_only, image_process=quick
    ) as app_harness:
        (channel,) = await app_harness.create_subscribed_channels()
        await app_harness.ingest(avro())
        await app_harness.ingest(avro("INITIAL", 20))
        assert "INITIAL" in plain_text(app_harness.root(channel)), "though no time passed"
        assert not app_harness.calls("files.getUploadURLExternal") and quick.drawn == []


@pytest.mark.slow
async def test_a_picture_of_another_notice_is_never_shown(
    app_harness: AppHarness, quick: InstantImageProcess
) -> None:
    channels = await app_harness.create_subscribed_channels(3)
    app_harness.local_slack.file_server.delay = 0.05
    for minutes, kind in ((0, "PRELIMINARY"), (20, "INITIAL"), (40, "UPDATE")):
        await receive(app_harness, avro(kind, minutes))
        await asyncio.sleep(0.03 * minutes / 20)
    await app_harness.advance(seconds=1)
    await wake_until(app_harness, lambda: all(shown_alert_type(app_harness, c) == "UPDATE" for c in channels))
    for call in app_harness.calls("chat.update"):
        block = image(call.args)
        if block is not None:
            stage = str(block["alt_text"]).rsplit(", ")[-1]
            assert stage in call.args["blocks"][0]["text"]["text"]


async def test_a_late_notice_takes_no_picture_from_the_newest(
    app_harness: AppHarness, quick: InstantImageProcess
) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    quick.may_go.clear()
    await app_harness.ingest(avro("INITIAL", 20))
    await receive(app_harness, avro("PRELIMINARY", 0))
    quick.may_go.set()
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel))
    await app_harness.wait_until_delivered()
    assert shown_alert_type(app_harness, channel) == "INITIAL" and quick.drawn == ["INITIAL"]


@pytest.mark.slow
async def test_a_retraction_takes_picture_and_buttons_away_at_once(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    await receive(app_harness, avro())
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel))
    await app_harness.wait_until_delivered()
    await app_harness.ingest(avro(RETRACTION, 30))
    root = app_harness.root(channel)
    assert image(root) is None and "RETRACTED" in plain_text(root)
    assert TOGGLE_OBSERVER_ACTION not in str(root["blocks"]) and "treasuremap" not in str(root["blocks"])


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [False, True])
async def test_mocks_have_a_picture_on_request_only(
    tmp_path: Path, local_slack: LocalSlack, quick: InstantImageProcess, wanted: bool
) -> None:
    draws: Callable[[Notice], bool] = (lambda _: True) if wanted else real_only
    async with open_app_harness(tmp_path, local_slack, should_draw=draws, image_process=quick) as app_harness:
        (channel,) = await app_harness.create_subscribed_channels(words="all mock")
        await app_harness.ingest(avro(name=MOCK))
        if wanted:
            await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel))
        else:
            await app_harness.ingest(avro("INITIAL", 20, name=MOCK))
            assert "INITIAL" in plain_text(app_harness.root(channel)), "it waits for nothing"
        assert bool(app_harness.calls("files.completeUploadExternal")) is wanted


async def test_drawn_once_and_uploaded_once_a_workspace(
    tmp_path: Path, local_slack: LocalSlack, quick: InstantImageProcess
) -> None:
    other = local_slack.add_team("Other")
    other.add_user("someone")
    async with open_app_harness(
        tmp_path, local_slack, should_draw=real_only, image_process=quick
    ) as app_harness:
        channels = [
            *await app_harness.create_subscribed_channels(2),
            *await app_harness.create_subscribed_channels(2, team=other.id),
        ]
        await receive(app_harness, avro())
        await wake_until(app_harness, lambda: all(shown_alert_type(app_harness, c) for c in channels))
        assert quick.drawn == ["PRELIMINARY"]
        uploads = app_harness.calls("files.completeUploadExternal")
        assert sorted(str(call.team) for call in uploads) == sorted([local_slack.team_id, other.id])


async def test_a_picture_that_fails_leaves_the_words_and_the_next_one_works(
    app_harness: AppHarness, quick: InstantImageProcess
) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    quick.fails = 1
    await app_harness.ingest(avro())
    await wake_until(app_harness, lambda: quick.drawn)
    await app_harness.wait_until_delivered()
    assert shown_alert_type(app_harness, channel) is None
    await receive(app_harness, avro("INITIAL", 20))
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel) == "INITIAL")


@pytest.mark.slow
async def test_the_drawing_process_is_killed_and_the_next_picture_works(
    tmp_path: Path, local_slack: LocalSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_app_harness(
        tmp_path, local_slack, should_draw=real_only, image_process=ImageProcess()
    ) as app_harness:
        (channel,) = await app_harness.create_subscribed_channels()
        # Whatever is ordered, the process ends itself.
        monkeypatch.setattr(drawing, "render", signal.raise_signal)
        monkeypatch.setattr(drawing, "_create_job", lambda *_: signal.SIGKILL)
        await receive(app_harness, avro())
        async with asyncio.timeout(60):
            while await app_harness.factory.images.next_wanted(app_harness.clock()) is not None:
                await asyncio.sleep(0.05)
        await app_harness.wait_until_delivered()
        assert image(app_harness.root(channel)) is None
        monkeypatch.undo()
        await receive(app_harness, avro("INITIAL", 20))
        await wake_until(app_harness, lambda: image(app_harness.root(channel)))
        (file,) = local_slack.workspace.files.values()
        assert file.content is not None and file.content.startswith(PNG) and len(file.content) > 10_000


async def test_canary_is_reassigned_when_root_is_uneditable(
    app_harness: AppHarness, quick: InstantImageProcess
) -> None:
    first, second, third = await app_harness.create_subscribed_channels(3)
    quick.may_go.clear()
    await app_harness.ingest(avro())
    app_harness.local_slack.archive(first)
    app_harness.local_slack.fail("chat.update", error="edit_window_closed", channel=second)
    quick.may_go.set()
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, third))
    await app_harness.wait_until_delivered()
    assert shown_alert_type(app_harness, second) is None


async def test_root_in_flight_gets_image(app_harness: AppHarness) -> None:
    fast, slow = await app_harness.create_subscribed_channels(2)
    app_harness.local_slack.fail("chat.postMessage", channel=slow, delay=0.5)
    await receive(app_harness, avro())
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, fast))
    await wake_until(app_harness, lambda: app_harness.roots(slow) and shown_alert_type(app_harness, slow))


@pytest.mark.slow
async def test_observers_come_and_go_and_stay_through_edits(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    team, me, you = (
        app_harness.local_slack.team_id,
        app_harness.local_slack.user,
        app_harness.local_slack.colleague,
    )
    await app_harness.ingest(avro())

    async def press(user: str) -> bool | None:
        on = await app_harness.factory.observers.toggle(team, channel, REAL, user, app_harness.clock())
        app_harness.clock.advance(seconds=1)
        app_harness.worker.wake()
        await app_harness.wait_until_delivered()
        return on

    assert await press(me) and await press(you)
    line = f"Observing: <@{me}>, <@{you}>"
    assert line in str(app_harness.root(channel)["blocks"])
    await receive(app_harness, avro("INITIAL", 20))
    await app_harness.advance(seconds=11)
    await wake_until(app_harness, lambda: "INITIAL" in plain_text(app_harness.root(channel)))
    assert line in str(app_harness.root(channel)["blocks"])
    assert await press(me) is False
    assert f"Observing: <@{you}>" in str(app_harness.root(channel)["blocks"])
    assert await press(you) is False
    assert "Observing:" not in str(app_harness.root(channel)["blocks"])
    assert (
        await app_harness.factory.observers.toggle(team, channel, "S999999zz", me, app_harness.clock())
        is None
    )


async def test_the_button_of_a_running_bot(deployment: LocalDeployment) -> None:
    channel = deployment.local_slack.add_channel("gw")
    await deployment.subscribe(channel, "CBC")
    bot = deployment.start_forked()
    await bot.wait_until_ready()
    await deployment.publish(worlds.avro_bbh("S240101k", "PRELIMINARY"))
    await wait_until(
        lambda: deployment.roots(channel) and image(deployment.roots(channel)[0]), what="the picture is shown"
    )
    me, you = deployment.local_slack.user, deployment.local_slack.colleague

    def is_mentioned(user: str) -> bool:
        return f"<@{user}>" in str(deployment.roots(channel)[0]["blocks"])

    for user in (me, you):
        await say_observing(deployment.local_slack, channel, deployment.roots(channel)[0]["ts"], user)
        await wait_until(partial(is_mentioned, user))
    assert f"Observing: <@{me}>, <@{you}>" in str(deployment.roots(channel)[0]["blocks"])
    assert image(deployment.roots(channel)[0]) is not None, "and the picture stays"
    await say_observing(
        deployment.local_slack, channel, deployment.roots(channel)[0]["ts"], me, status="cancel"
    )
    await wait_until(lambda: f"<@{me}>" not in str(deployment.roots(channel)[0]["blocks"]))
    assert await bot.terminate() == 0


# Killed

KILLS = (
    "upload:before:1",
    "upload:after:1",
    "uploaded:after:1",
    "edit:before:1",
    "edit:after:1",
    "upload:after:2",
    "edit:after:3",
)


@pytest.mark.parametrize("step", KILLS)
async def test_killed_anywhere_it_ends_in_the_newest_state_with_its_picture(
    deployment: LocalDeployment, step: str
) -> None:
    name = "S240101k"
    channels = [deployment.local_slack.add_channel(f"gw-{n}") for n in range(2)]
    for channel in channels:
        await deployment.subscribe(channel, "CBC")

    def complete(stage: str) -> bool:
        roots = [deployment.roots(c, name) for c in channels]
        return all(len(r) == 1 and stage in plain_text(r[0]) and image(r[0]) is not None for r in roots)

    bot = deployment.start_forked(step)
    await deployment.publish(worlds.avro_bbh(name, "PRELIMINARY"))
    await wait_until(
        lambda: bot.has_exited or (complete("PRELIMINARY") and not deployment.pending_count()),
        what="shown or dead",
    )
    await deployment.publish(worlds.avro_bbh(name, "INITIAL", after=60))
    assert await bot.wait_for_exit() == -signal.SIGKILL, bot.stderr
    again = deployment.start_forked()
    await wait_until(
        lambda: again.has_exited or complete("INITIAL"), what="the newest state with its picture"
    )
    await deployment.wait_until_delivered(2)
    assert complete("INITIAL")
    for channel in channels:
        (root,) = deployment.roots(channel, name)
        assert len(deployment.replies(channel, root)) == 1, "nothing twice"
    assert await again.terminate() == 0, again.stderr


async def advance_until_delivered(app_harness: AppHarness) -> None:
    """Let time pass until nothing waits."""
    for _ in range(40):
        await app_harness.advance(seconds=70)
        if not await app_harness.pending_count():
            return
    raise AssertionError("it waits for ever")


@pytest.mark.slow
@pytest.mark.parametrize(
    "word",
    ["slack_connect_file_upload_sharing_blocked", "file_not_found", "posting_to_channel_denied", "zomeru_ba"],
)
async def test_rejected_image_keeps_text_and_buttons(app_harness: AppHarness, word: str) -> None:
    shared, own = await app_harness.create_subscribed_channels(2)
    app_harness.local_slack.fail("chat.update", error=word, times=None, channel=shared, having=("file",))
    await receive(app_harness, avro())
    await wake_until(
        app_harness, lambda: count_image_edits(app_harness, shared) and shown_alert_type(app_harness, own)
    )
    await advance_until_delivered(app_harness)
    assert shown_alert_type(app_harness, shared) is None and "GraceDB" in plain_text(app_harness.root(shared))
    await receive(app_harness, avro("UPDATE", 5))
    await advance_until_delivered(app_harness)
    assert [shown_alert_type(app_harness, c) for c in (shared, own)] == [None, "UPDATE"], (
        "the others have theirs"
    )
    assert "UPDATE" in plain_text(app_harness.root(shared))
    await receive(app_harness, avro(RETRACTION, 9))
    await advance_until_delivered(app_harness)
    assert "RETRACTED" in plain_text(app_harness.root(shared)) and "RETRACTED" in plain_text(
        app_harness.root(own)
    )
    # What it can't have is tried with each edit, not for ever.
    before = len(app_harness.calls("chat.update", shared))
    await app_harness.advance(hours=2)
    assert len(app_harness.calls("chat.update", shared)) == before


@pytest.mark.slow
@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
@pytest.mark.parametrize("word", ["zomeru_ba", "token_expired", "external_channel_migrating"])
async def test_upload_with_transient_error_is_retried(
    app_harness: AppHarness, method: str, word: str
) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    app_harness.local_slack.fail(method, error=word, times=2)
    await app_harness.ingest(avro())

    async def later() -> None:
        await app_harness.advance(seconds=5)

    for _ in range(10):
        await later()
    await wake_until(app_harness, lambda: shown_alert_type(app_harness, channel))


@pytest.mark.slow
async def test_upload_with_permanent_error_keeps_text(app_harness: AppHarness) -> None:
    (channel,) = await app_harness.create_subscribed_channels()
    app_harness.local_slack.fail("files.getUploadURLExternal", error="zomeru_ba", times=None)
    await app_harness.ingest(avro())
    for _ in range(10):
        await app_harness.advance(minutes=5)
    await receive(app_harness, avro("UPDATE", 5))
    await advance_until_delivered(app_harness)
    assert "UPDATE" in plain_text(app_harness.root(channel)) and not await app_harness.pending_count()
