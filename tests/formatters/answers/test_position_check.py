"""Tests of the `check` answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from formatters.answers import event_details, event_history, position_check
from formatters.answers.position_check import MapResult, PositionCheck, PositionOnMap, SkyPosition
from formatters.blockkit.message import Message
from formatters.models.notice import Distance, Notice
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef
from formatters.terminal import message_text
from formatters.text import quantities

NOW = datetime(2026, 12, 1, tzinfo=UTC)
TARGET = SkyPosition(ra=197.45, dec=-23.3814)


def place(level: float = 0.324, **changes: object) -> PositionOnMap:
    made = PositionOnMap(
        credible_level=level,
        relative_density=0.61,
        searched_area=9.53,
        in_50=level < 0.5,
        in_90=level < 0.9,
        distance=Distance(mean=42.4, std=8.2),
        credible_level_3d=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def checked(superevent: Superevent, *targets: SkyPosition, **changes: object) -> PositionCheck:
    known = [n for n in superevent.notices if n.best_localization is not None]
    made = PositionCheck(
        superevent=superevent,
        targets=targets,
        maps=[
            MapResult(notice=notice, positions=[place(0.324 + 0.3 * number)])
            for number, notice in enumerate(known)
        ],
        cosmology="Planck18",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_answers_about_positions(
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    bns, raven, mock, bare = (
        Superevent.from_notices(stories[kind]) for kind in ("bns", "raven", "mock", "bare")
    )
    last = raven.notices[-1]
    far = replace(TARGET, distance=43.7476, redshift=0.0098)
    answers = {
        "one": checked(bns.up_to(bns.notices[2]), TARGET),
        "retracted": checked(bns, replace(TARGET, name="AT *2017gfo* <!here>")),
        "distance": checked(
            raven,
            far,
            maps=[
                MapResult(notice=last, positions=[place(0.99, credible_level_3d=0.9996, distance=None)]),
                MapResult(notice=last, is_combined=True, positions=[place(0.41, credible_level_3d=0.3681)]),
            ],
            introduction=f"No event was named; {raven.superevent_id} is the newest.",
        ),
        "galactic": checked(
            bns.up_to(bns.notices[2]),
            replace(TARGET, galactic=(308.4, 39.3), distance=39.81, modulus=33.0, name="GRB 170817A"),
            omitted=("Not used, since nothing says what it is: 0.041. A distance is written z=0.041.",),
        ),
        "gap": checked(
            mock,
            TARGET,
            maps=[
                MapResult(notice=mock.notices[0], positions=[None]),
                MapResult(notice=mock.notices[1], problem="The map isn't kept any more."),
            ],
        ),
        "no-map": checked(bare, TARGET, maps=[]),
        "list": checked(
            raven,
            far,
            replace(TARGET, name="NGC <4993> & *co*", galactic=(308.4, 39.3)),
            SkyPosition(ra=0.0, dec=90.0),
            maps=[
                MapResult(
                    notice=last, is_combined=True, positions=[place(credible_level_3d=0.2), place(0.7), None]
                ),
            ],
            omitted=("Left out “foo 400 10”: RA 400 isn't between 0° and 360°.",),
        ),
    }
    for name, answer in answers.items():
        golden(f"position-{name}", check(position_check.message(answer)))


def test_the_longest_list_fits(stories: dict[str, list[Notice]], check: Callable[[Message], Message]) -> None:
    superevent = Superevent.from_notices(stories["raven"])
    targets = [
        SkyPosition(ra=359.999, dec=-89.999, distance=12345.6, redshift=1.2345, name=f"{n} {'x' * 200}")
        for n in range(position_check.MAX_POSITIONS)
    ]
    worst = place(
        relative_density=1.2e-300, distance=Distance(mean=12345.6, std=2345.6), credible_level_3d=0.5
    )
    answer = checked(
        superevent,
        *targets,
        maps=[MapResult(notice=superevent.latest, positions=[worst] * len(targets))],
        omitted=["x" * 500] * 500,
    )
    message = check(position_check.message(answer))
    (table,) = [block for block in message.blocks if block["type"] == "table"]
    assert len(table["rows"]) == position_check.MAX_POSITIONS + 1
    assert message_text.fallback_text(message)


def test_details(
    stories: dict[str, list[Notice]],
    check: Callable[[Message], Message],
    golden: Callable[[str, Message], None],
) -> None:
    for kind in ("bns", "raven", "burst", "mock", "map_problem", "retraction_only", "ssm"):
        golden(f"history-{kind}", check(event_history.message(Superevent.from_notices(stories[kind]), NOW)))
    bns = Superevent.from_notices(stories["bns"])
    published = {"alert_type": "UPDATE", "event": {"search": "All*Sky* <!here> ```", "nested": [1, None]}}
    notice = replace(
        bns.latest, published=published, urls={"skymap": "https://example.org/files/bayestar.fits,1"}
    )
    superevent = Superevent(bns.superevent_id, (*bns.notices[:-1], notice))
    golden("details-json", check(event_details.json_record(superevent)))
    lists = {"a": [0.1, None, "x [\n y"], "b": [[1, 2], []], "c": [{"d": [3]}], "e": "[\n  1\n]\u2028"}
    (code,) = [
        block["elements"][0]["elements"][0]["text"]
        for block in event_details.json_record(
            Superevent(bns.superevent_id, (replace(notice, published=lists),))
        ).blocks
        if block["type"] == "rich_text"
    ]
    assert json.loads(code) == lists and '"d": [3]' in code and "[1, 2]" in code
    many = replace(notice, published={f"key {n}": "x" * 50 for n in range(500)})
    cut = check(event_details.json_record(Superevent(bns.superevent_id, (many,))))
    assert "lines of 502 are shown" in message_text.render(cut)
    assert (
        message_text.render(event_details.json_record(Superevent(bns.superevent_id, (many,)), None)).count(
            "key "
        )
        == 500
    )
    coverage = event_details.MocAnswer(
        superevent=superevent,
        notice=notice,
        is_combined=False,
        moc="4/12 15-17 5/300",
        moc_area=31.2,
        region_area=31.2,
        max_order=5,
        is_coarsened=False,
    )
    golden("details-moc", check(event_details.moc_answer(coverage)))
    coarse = replace(coverage, region_area=30.1, is_coarsened=True, is_combined=True)
    golden("details-moc-coarse", check(event_details.moc_answer(coarse)))
    picture = ImageRef(alt_text="Sky map of S241126dm, an oval near 12h57m.", file_id="F0123456789")
    golden("details-map", check(event_details.image_message(bns, bns.notices[1], picture)))
    golden("details-no-map", check(event_details.no_image(bns, "Slack didn't take it (<x>).")))
    golden("details-map-terminal", check(event_details.image_not_in_terminal(bns)))
    for nothing_to_see in (event_details.no_image(bns, "…"), event_details.image_not_in_terminal(bns)):
        assert nothing_to_see.is_refusal


@pytest.mark.parametrize(
    ("asked_at", "is_said"),
    [(NOW, True), (datetime(2024, 11, 28, 2, 10, tzinfo=UTC), False), (None, False)],
)
@pytest.mark.parametrize("targets", [[TARGET], [TARGET, TARGET]])
def test_a_position_in_an_old_event_says_how_old_it_is(
    targets: list[SkyPosition], asked_at: datetime | None, is_said: bool, stories: dict[str, list[Notice]]
) -> None:
    superevent = Superevent.from_notices(stories["bns"])
    maps = [MapResult(notice=superevent.notices[0], positions=[place() for _ in targets])]
    answer = PositionCheck(
        superevent=superevent, targets=targets, maps=maps, cosmology="Planck18", asked_at=asked_at
    )
    text = message_text.render(position_check.message(answer)).replace("\u00a0", " ")
    assert ("S241126dm was 2 yr ago, 2024-11-26 02:10:46 UTC." in text) is is_said
    assert ("was" in text) is is_said


@pytest.mark.parametrize("kind", ["bns", "mock", "retraction_only"])
def test_a_history_says_how_old_the_event_is(kind: str, stories: dict[str, list[Notice]]) -> None:
    superevent = Superevent.from_notices(stories[kind])
    text = message_text.render(event_history.message(superevent, NOW)).replace("\u00a0", " ")
    assert ("Event 2024-11-26 02:10:46 UTC, 2 yr ago" in text) is (superevent.event is not None)


def test_a_table_in_a_terminal(stories: dict[str, list[Notice]]) -> None:
    lines = message_text.render(
        event_history.message(Superevent.from_notices(stories["bns"]), NOW)
    ).splitlines()
    assert lines[2].startswith("notice") and lines[2].count(" │ ") == 8
    assert len({line.index("│") for line in lines[2:]}) == 1, "columns line up"


@pytest.mark.parametrize(
    ("value", "said"), [(0.3244, "32.4 %"), (0.0004, "<0.1 %"), (0.9996, ">99.9 %"), (float("nan"), "?")]
)
def test_levels(value: float, said: str) -> None:
    assert quantities.credible_level(value).replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.0, "1"),
        (0.9999, ">0.99"),
        (0.99, "0.99"),
        (0.614, "0.61"),
        (0.0123, "0.012"),
        (3.42e-7, "3.4e-7"),
        (0.0, "0"),
        (0.5, "0.5"),
    ],
)
def test_ratios(value: float, said: str) -> None:
    assert quantities.fraction(value) == said


@pytest.mark.parametrize(
    ("ra", "dec", "said"),
    [
        (197.45, -23.381389, "13h09m48.0s −23°22′53″"),
        (0.0, -0.00001, "00h00m00.0s +00°00′00″"),
        (359.99999, 89.9999, "00h00m00.0s +90°00′00″"),
        (10.0, -0.5, "00h40m00.0s −00°30′00″"),
    ],
)
def test_sexagesimal(ra: float, dec: float, said: str) -> None:
    assert quantities.position_sexagesimal(ra, dec).replace("\u00a0", " ") == said
