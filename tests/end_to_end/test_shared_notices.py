"""Real notices through broker, bot and Slack, judged by their own JSON and Avro and ligo.skymap's numbers."""

from __future__ import annotations

import html
import io
import json
import math
import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tests.support.bot_process import LocalDeployment
from tests.support.messages import Json, message_text
from tests.support.waiting import wait_until

LONG_AGO = "500000"
"""Hours; the notices are years old."""
WORDS = ("CBC", "Burst", "all", "all mock", "all mock lowsig")
YEAR = 365.25 * 86_400
UNITS = {"yr": YEAR, "months": YEAR / 12, "days": 86_400.0, "h": 3_600.0, "min": 60.0, "s": 1.0}
STAGES = {"EARLYWARNING": "EARLY WARNING", "RETRACTION": "RETRACTED"}


@dataclass(frozen=True)
class NoticeFile:
    """A notice's file, read with nothing of gwevent's."""

    path: Path
    body: bytes
    facts: Json
    expected: Json
    """What ligo.skymap makes of its maps."""

    @property
    def id(self) -> str:
        return str(self.facts["superevent_id"])

    @property
    def mock(self) -> bool:
        return self.id.startswith("M")

    @property
    def key(self) -> tuple[str, str]:
        return self.facts["alert_type"], self.facts["time_created"]


def read_notice_file(folder: Path, name: str) -> NoticeFile:
    path = folder / name
    body = path.read_bytes()
    facts: Any = next(fastavro.reader(io.BytesIO(body))) if path.suffix == ".avro" else json.loads(body)
    return NoticeFile(path, body, facts, json.loads((folder / "expected.json").read_text())[name])


def matches_filter(words: str, first: NoticeFile) -> bool:
    """Whether an event's first notice is what a channel asked for."""
    event = first.facts["event"]
    return (
        ("mock" in words or not first.mock)
        and ("lowsig" in words or event["significant"])
        and (words.startswith("all") or event["group"] == words)
    )


def percent(probability: float) -> str:
    whole = "<1" if probability < 0.01 else ">99" if probability > 0.99 else f"{100 * probability:.0f}"
    return f"{whole} %"


def numbers(words: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", words)]


def check_far(far: float, words: str) -> bool:
    if far * YEAR < 1e-6:
        return "FAR rarer than 1 per 10⁶ yr" in words
    found = re.search(r"FAR 1 per ([\d,.]+) (\w+)", words)
    assert found is not None, words
    count, truth = numbers(found[1])[0], 1 / far / UNITS[found[2]]
    return abs(count - truth) <= max(0.5, 0.05 * truth)


def check_distance(sky: Json, words: str) -> bool:
    mean, std = sky["distance_mean"], sky["distance_std"]
    return any(
        abs(shown[0] - mean) <= 0.5 + 0.05 * std and abs(shown[1] - std) <= 0.5 + 0.05 * std
        for shown in map(numbers, re.findall(r"[\d,]+ ?± ?[\d,]+ Mpc", words))
    )


def check_root(root: Json, notice: NoticeFile, preliminaries: int) -> None:
    """The root shows this notice: header, push text and every number."""
    words, push = html.unescape(message_text(root)), html.unescape(root["text"]).replace("\u00a0", " ")
    header = root["blocks"][0]["text"]["text"].replace("\u00a0", " ")
    kind = str(notice.facts["alert_type"])
    stage = STAGES.get(kind, kind)
    if kind == "PRELIMINARY" and preliminaries > 1:
        stage += f" {preliminaries}"
    assert stage in header.split(" · ")
    assert header.endswith(notice.id)
    assert notice.id in push
    assert header.startswith("MOCK · ") == push.startswith("MOCK ") == notice.mock
    if kind == "RETRACTION":
        assert header.startswith(("RETRACTED", "MOCK · RETRACTED"))
        assert "RETRACTED" in push
        return
    event = notice.facts["event"]
    assert ("LOW SIGNIFICANCE" in header) == (not event["significant"])
    for name, probability in event["classification"].items():
        shown = percent(probability)
        # Those below 1 % may share one "<1 %", or be left out where there is no room.
        assert shown == "<1 %" or re.search(rf"{name}(, \w+)* {shown}", words), (name, shown, words)
    if event["classification"]:
        name, probability = max(event["classification"].items(), key=lambda item: item[1])
        assert f"{name} {percent(probability)}" in header
        assert f"{name} {percent(probability)}".replace(" %", "%") in push
    else:
        assert "Burst" in header
        assert f"{event['central_frequency']:.0f} Hz" in words
    sky: Json = notice.expected["map"]
    best: Json = notice.expected.get("combined") or sky
    assert f"{best['area_90']:,.0f} deg²" in push
    # The card shows one map, the combined one where there is one; the GW map's area is in its details.
    assert f"{best['area_90']:,.0f}" in words
    # The foot gives the rate itself, the push text its period.
    assert check_far(event["far"], words)
    far_off = best if best.get("distance_mean") is not None else sky
    if far_off.get("distance_mean") is not None:
        assert check_distance(far_off, words)
    else:
        assert "Mpc" not in words
    external: Json | None = notice.facts.get("external_coinc")
    assert (external is not None) == ("combined" in words.lower())
    if external is not None:
        assert external["observatory"] in words
        later = external["time_difference"]
        # Before 2024 the sign was the other way round, so only its size is judged.
        assert f"{abs(later):.2f}".rstrip("0").rstrip(".") in words
    assert event["time"][11:19] in push


async def channels_of(deployment: LocalDeployment) -> dict[str, str]:
    made = {words: deployment.local_slack.add_channel(words.replace(" ", "-").lower()) for words in WORDS}
    for words, channel in made.items():
        await deployment.subscribe(channel, words)
    return made


def quarantined(deployment: LocalDeployment) -> int:
    return int(deployment.query_database("select count(*) from quarantine")[0][0])


async def test_every_notice_arrives_where_it_belongs(
    deployment: LocalDeployment, shared_notices: Path
) -> None:
    names = sorted(json.loads((shared_notices / "expected.json").read_text()))
    events: dict[str, list[NoticeFile]] = {}
    for name in names:
        if name == "official/MS181101ab-ext-update.avro" or name.endswith(
            ("-ext-update.json", "ab-retraction.json")
        ):
            continue
        if name == "official/MS181101ab-preliminary.json":
            continue
        notice = read_notice_file(shared_notices, name)
        events.setdefault(notice.id, []).append(notice)
    for notices in events.values():
        notices.sort(key=lambda notice: (notice.facts["time_created"], notice.path.name))
    twins = [
        read_notice_file(shared_notices, f"official/MS181101ab-{name}")
        for name in ("preliminary.json", "ext-update.avro", "ext-update.json", "retraction.json")
    ]
    channels = await channels_of(deployment)
    bot = deployment.start_forked(GWEVENT_MAX_AGE_HOURS=LONG_AGO)
    await bot.wait_until_ready()
    stored = 0
    for count, now in enumerate(zip_longest(*events.values()), start=1):
        sent = [notice for notice in now if notice is not None]
        await deployment.publish(*(notice.body for notice in sent))
        stored += len(sent)
        await deployment.wait_until_delivered(stored)
        for notice in sent:
            so_far = events[notice.id][:count]
            preliminaries = sum(n.facts["alert_type"] == "PRELIMINARY" for n in so_far)
            for words, channel in channels.items():
                roots = deployment.roots(channel, notice.id)
                assert len(roots) == int(matches_filter(words, so_far[0])), (words, notice.path)
                for root in roots:
                    check_root(root, notice, preliminaries)
                    replies = deployment.replies(channel, root)
                    assert len(replies) == count - 1
                    if replies:
                        assert notice.id in replies[-1]["text"]
                        assert (
                            notice.facts["alert_type"].title()[:6]
                            in replies[-1]["blocks"][0]["text"]["text"].title()
                        )
    assert deployment.local_slack.messages(channels["Burst"]) == []

    before = {channel: len(deployment.local_slack.messages(channel)) for channel in channels.values()}
    assert quarantined(deployment) == 0
    # JSON twins of Avro notices are repeats; the coincidence's update has an update's type and second, and
    # is a notice of its own, which came after the event was retracted.
    await deployment.publish(*(twin.body for twin in twins))
    await wait_until(
        lambda: len(bot.logged_events("notice_repeated")) == 3, what="the twins are known as repeats"
    )
    await deployment.wait_until_delivered(stored + 1)
    assert quarantined(deployment) == 0
    assert not deployment.pending_count()
    for words, channel in channels.items():
        further = int(matches_filter(words, events["MS181101ab"][0]))
        assert len(deployment.local_slack.messages(channel)) == before[channel] + further
        if further:
            (root,) = deployment.roots(channel, "MS181101ab")
            assert "RETRACTED" in root["blocks"][0]["text"]["text"]
            assert "New coincidence" in deployment.replies(channel, root)[-1]["blocks"][0]["text"]["text"]


@pytest.mark.parametrize("first", ["ext-update.avro", "ext-update.json"])
async def test_the_update_with_the_coincidence_counts_where_it_comes_first(
    deployment: LocalDeployment, shared_notices: Path, first: str
) -> None:
    told = [
        read_notice_file(shared_notices, f"official/MS181101ab-{name}")
        for name in ("preliminary.json", first)
    ]
    other = read_notice_file(shared_notices, "official/MS181101ab-update.avro")
    assert told[1].key == other.key
    channel = deployment.local_slack.add_channel("mocks")
    await deployment.subscribe(channel, "CBC mock")
    bot = deployment.start_forked(GWEVENT_MAX_AGE_HOURS=LONG_AGO)
    for count, notice in enumerate(told, start=1):
        await deployment.publish(notice.body)
        await deployment.wait_until_delivered(count)
        (root,) = deployment.roots(channel)
        check_root(root, notice, 1)
    await deployment.publish(other.body)
    await deployment.wait_until_delivered(3)
    assert not bot.logged_events("payload_quarantined")
    # What says less of the same second is told in the thread, and the message goes on showing the other.
    (root,) = deployment.roots(channel)
    check_root(root, told[1], 1)
    assert len(deployment.local_slack.messages(channel)) == 3
    late = deployment.replies(channel, root)[-1]["blocks"][0]["text"]["text"]
    assert "Sent in the same second as another UPDATE, which the message above shows." in late
    assert math.isclose(told[1].facts["external_coinc"]["time_difference"], 2.02, abs_tol=5)
