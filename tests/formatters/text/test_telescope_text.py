"""Telescopes in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from formatters.answers.observability import site_label, site_list
from formatters.models.observing import ChannelSites, Site
from formatters.models.pointing import Footprint, Telescope
from formatters.terminal import message_text
from formatters.text import telescope_text
from formatters.text.change_text import site_differences

PALOMAR = Site(name="Palomar", latitude=33.3563, longitude=-116.865, height=1706)
SQUARE = ((-1.1, -1.1), (1.1, -1.1), (1.1, 1.1), (-1.1, 1.1))
SMALL = ((-0.25, -0.1), (0.25, -0.1), (0.25, 0.1), (-0.25, 0.1))
ROUND = Footprint(polygons=(), radius=0.55, area=0.9503, words="1.1deg circle")
TELESCOPE = Telescope(
    site="Palomar", footprint=ROUND, exposure=timedelta(minutes=3), overhead=timedelta(seconds=45)
)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("footprint", "words"),
    [
        (ROUND, "1.1deg circle: 1.1° across, 0.95 deg²"),
        (Footprint(polygons=(SQUARE,), area=4.84, words="x"), "x: 2.2° × 2.2°, 4.8 deg²"),
        (Footprint(polygons=(SMALL,), area=0.1, words="x"), "x: 30′ × 12′, 0.10 deg²"),
        (Footprint(polygons=(SQUARE, SMALL), area=47.3, words="x"), "x: 2 polygons, 47 deg²"),
        (Footprint(polygons=(SQUARE[:3],), area=2.4, words="x"), "x: a polygon of 3 corners, 2.4 deg²"),
        (
            Footprint(polygons=((*SQUARE[:3], (0.0, 2.0)),), area=2.4, words="x"),
            "x: a polygon of 4 corners, 2.4 deg²",
        ),
    ],
)
def test_field_of_view_says_its_shape_and_area(footprint: Footprint, words: str) -> None:
    assert plain(telescope_text.field_of_view(footprint)) == words


@pytest.mark.parametrize(
    ("seconds", "shown", "typed"),
    [
        (180, "3 min", "3min"),
        (90, "1.5 min", "90s"),
        (45, "45 s", "45s"),
        (0, "0 s", "0s"),
        (95, "95 s", "95s"),
        (0.5, "0.5 s", "0.5s"),
        (14_400, "240 min", "240min"),
    ],
)
def test_times_are_shown_and_typed(seconds: float, shown: str, typed: str) -> None:
    one = replace(TELESCOPE, exposure=timedelta(seconds=seconds), overhead=timedelta(seconds=seconds))
    assert plain(telescope_text.times(one)) == f"{shown} a field, {shown} between fields"
    assert telescope_text.telescope_arguments(one) == f"fov 1.1deg circle exposure {typed} overhead {typed}"


def test_change_names_what_changed_and_how_to_undo_it() -> None:
    before = ChannelSites(sites=(PALOMAR,), telescopes=(TELESCOPE,))
    after = replace(before, telescopes=(replace(TELESCOPE, overhead=timedelta(minutes=1)),))
    undo = "edit Palomar fov 1.1deg circle exposure 3min overhead 45s"
    assert [(plain(words), how) for words, how in site_differences(before, after)] == [
        ("Palomar overhead 45 s → 1 min", undo)
    ]
    without = replace(before, telescopes=())
    assert site_differences(before, without) == [("Palomar field of view removed", undo)]
    ((words, how),) = site_differences(without, before)
    assert how == "remove Palomar fov"
    assert plain(words) == (
        "Palomar field of view 1.1deg circle: 1.1° across, 0.95 deg²; 3 min a field, 45 s between fields"
    )
    ((_, how),) = site_differences(before, ChannelSites())
    assert how == "add Palomar 33.3563 -116.865 1706 fov 1.1deg circle exposure 3min overhead 45s"


def test_list_and_home_have_the_field_of_view() -> None:
    channel = ChannelSites(sites=(PALOMAR, replace(PALOMAR, name="Other")), telescopes=(TELESCOPE,))
    assert plain(site_label(channel, PALOMAR)) == "Palomar (0.95 deg²)"
    assert site_label(channel, channel.sites[1]) == "Other"
    listed = plain(message_text.render(site_list(channel)))
    assert listed.count("field of view") == 1


def test_hostile_words_notify_nobody() -> None:
    hostile = replace(TELESCOPE, footprint=replace(ROUND, words="<!channel> *x* <https://evil|y>"))
    channel = ChannelSites(sites=(PALOMAR,), telescopes=(hostile,))
    assert "<!channel>" not in str(site_list(channel).blocks)
    assert "<https:" not in str(site_list(channel).blocks)
