"""Words about galaxies: table, exports, the Follow-up reply's lines. Names come from catalogues."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.decode import decode
from bot.samples import bns, to_avro
from formatters.answers import galaxies, galaxies_export
from formatters.answers.galaxies import GalaxyList, GalaxyRow, beyond_catalogue, problem_message
from formatters.models.follow_up import FollowUp, FollowUpEntry
from formatters.models.galaxy import (
    CatalogueInfo,
    Galaxy,
    GalaxyRanking,
    MassSource,
    RankedGalaxy,
    RankingProblem,
    VolumeGalaxies,
)
from formatters.models.notice import Distance
from formatters.models.observing import PositionAltitude, PositionWindow, Site
from formatters.models.related_message import MessageKind, RelatedMessage, StoredMessage, Stream
from formatters.models.superevent import Superevent
from formatters.posts import follow_up
from formatters.skymap_image.galaxy_marks import marks_of
from formatters.terminal import message_text
from formatters.text import galaxy_lines
from tests.support.factories import NOW

CATALOGUE = CatalogueInfo(
    slug="ned-lvs",
    title="NED-LVS 20260424",
    galaxies=2_000_000,
    max_distance=1_000.0,
    median_log_mass=10.3,
    imported_at=NOW,
    shell_width=10.0,
    mass_in_shells=(),
)
NGC_4993 = Galaxy(
    name="NGC 4993",
    ra=197.44875,
    dec=-23.38389,
    distance=40.7,
    distance_error=2.4,
    log_mass=10.7,
    mass_source=MassSource.CATALOGUE,
    magnitude=9.22,
    is_questionable=False,
)
HOSTILE = "<!channel> *x* {y} <https://evil.example|z> =cmd() `q` \u202e\n@here " + "n" * 100


def ranking(*names: str, total: int | None = None, completeness: float | None = 0.62) -> GalaxyRanking:
    share = 1 / max(total or len(names), 1)
    return GalaxyRanking(
        catalogue=CATALOGUE,
        galaxies=tuple(
            RankedGalaxy(
                rank=number + 1,
                galaxy=replace(NGC_4993, name=name),
                share=share,
                level_2d=0.2,
                level_3d=0.3,
            )
            for number, name in enumerate(names)
        ),
        total=len(names) if total is None else total,
        completeness=completeness,
        distance=Distance(mean=40.0, std=8.0),
    )


@pytest.fixture(scope="module")
def event() -> Superevent:
    notices = [replace(decode(to_avro(record)), received=NOW) for record in bns(NOW)]
    return Superevent(notices[0].superevent_id, tuple(notices))


def table_of(event: Superevent, of: GalaxyRanking, **changed: object) -> GalaxyList:
    usual = GalaxyList(
        superevent=event,
        map_notice=event.latest,
        is_combined=True,
        unread=(),
        ranking=of,
        rows=tuple(GalaxyRow(ranked=one) for one in of.galaxies),
        sites=(),
        altitude_limit=30.0,
        asked_at=NOW,
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


def test_what_is_doubtful_of_a_galaxy_stands_beside_its_name_and_is_explained(event: Superevent) -> None:
    of = ranking("A", "B")
    first, second = of.galaxies
    doubtful = replace(first.galaxy, mass_source=MassSource.MEDIAN, is_questionable=True, magnitude=None)
    of = replace(of, galaxies=(replace(first, galaxy=doubtful), second))
    said = message_text.render(galaxies.message(table_of(event, of)))
    assert "A (mass unknown, z questionable)" in said
    assert "Mass unknown: the catalogue's median (2.0e10 M☉)" in said
    assert "z questionable: so marked by the catalogue" in said
    plain = message_text.render(galaxies.message(table_of(event, ranking("A"))))
    assert "unknown" not in plain and "questionable" not in plain


def test_windows_say_the_site_where_there_are_several(event: Superevent) -> None:
    palomar = Site(name="Palomar", latitude=33.4, longitude=-116.9, height=1_700)
    window = PositionWindow(
        site=palomar, start=NOW - timedelta(hours=1), stop=NOW + timedelta(hours=2), peak_altitude=51.3
    )
    rows = (
        GalaxyRow(
            ranked=ranking("A").galaxies[0], now=PositionAltitude(site=palomar, altitude=43.2), window=window
        ),
        GalaxyRow(ranked=ranking("B").galaxies[0], now=PositionAltitude(site=palomar, altitude=-3.0)),
    )
    one = message_text.render(galaxies.message(table_of(event, ranking("A"), rows=rows, sites=(palomar,))))
    assert "43°" in one and "now until" in one and "51° high" in one
    assert "below the horizon" in one and "none in 2 nights" in one
    other = replace(palomar, name="Keck")
    both = message_text.render(
        galaxies.message(table_of(event, ranking("A"), rows=rows, sites=(palomar, other)))
    )
    assert "43° Palomar" in both and "Palomar now until" in both


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        (40.0, 8.0, None),
        (990.0, 5.0, None),
        (950.0, 200.0, "reaches beyond the catalogue"),
        (2_000.0, 500.0, "lies beyond the catalogue"),
    ],
)
def test_an_event_beyond_the_catalogue(mean: float, std: float, words: str | None) -> None:
    found = beyond_catalogue("S1", CATALOGUE, Distance(mean=mean, std=std))
    assert found is None if words is None else found is not None and words in found


def test_no_catalogue_and_no_distances_are_one_sentence_each(event: Superevent) -> None:
    for problem in RankingProblem:
        said = message_text.render(problem_message(event, problem))
        assert said.strip() and "\n\n" not in said.strip()


def test_how_complete_the_catalogue_is() -> None:
    assert "holds 62 % of the stellar mass expected at 40 ± 8 Mpc" in (
        galaxy_lines.completeness_text(ranking("A")) or ""
    ).replace("\u00a0", " ")
    assert "can't be told" in (galaxy_lines.completeness_text(ranking("A", completeness=None)) or "")
    assert galaxy_lines.completeness_text(replace(ranking("A"), distance=None)) is None


def told(event: Superevent, of: VolumeGalaxies | None) -> FollowUp:
    circular = RelatedMessage(
        stream=Stream.CIRCULARS,
        key="1",
        number=1,
        created=NOW,
        superevent_ids=(event.superevent_id,),
        kind=MessageKind.REPORT,
        subject="a report",
    )
    stored = StoredMessage(id=1, superevent_id=event.superevent_id, message=circular, received=NOW)
    return FollowUp(superevent=event, entries=(FollowUpEntry(stored=stored),), galaxies=of)


def test_the_follow_up_reply_has_one_line_and_who_entered_the_first_ten(event: Superevent) -> None:
    of = VolumeGalaxies(
        ranking=ranking("NGC 4993", "IC 4197", "NGC 4970", "NGC 4968", total=12),
        map_notice=event.latest,
        entered=("NGC 4993", "A", "B", "C", "D", "E"),
    )
    message = follow_up.message(told(event, of))
    assert message is not None
    said = message_text.render(message).replace("\u00a0", " ")
    assert "12 galaxies of NED-LVS 20260424 in the 90 % volume (UPDATE, T+" in said
    assert "NGC 4993 8 % of the ranking, IC 4197 8 %, NGC 4970 8 % …" in said
    assert "62 % of the stellar mass expected there is in the catalogue" in said
    assert f"`/gwevent galaxies {event.superevent_id}`" in json.dumps(message.blocks)
    assert "NGC 4993, A, B, C and 2 more entered the first 10 galaxies" in said
    assert "compared with the map before" in said
    without = follow_up.message(told(event, None))
    assert without is not None and "galaxies" not in message_text.render(without)


def test_galaxies_alone_are_no_reason_for_a_reply(event: Superevent) -> None:
    of = VolumeGalaxies(ranking=ranking("A"), map_notice=event.latest)
    assert follow_up.message(FollowUp(superevent=event, entries=(), galaxies=of)) is None


def test_a_reply_with_the_longest_names_keeps_its_command(event: Superevent) -> None:
    long = "W" * 500
    of = VolumeGalaxies(
        ranking=replace(ranking(long, long, long, long), catalogue=replace(CATALOGUE, title=long)),
        map_notice=event.latest,
        is_combined=True,
    )
    message = follow_up.message(told(event, of))
    assert message is not None and f"`/gwevent galaxies {event.superevent_id}`" in json.dumps(message.blocks)


def test_hostile_names_mention_nobody_link_nothing_and_break_no_file(event: Superevent) -> None:
    of = ranking(HOSTILE, "B")
    everything = [
        galaxies.message(table_of(event, of)),
        galaxies_export.csv_message(event, of),
        galaxies_export.ds9_message(event, of),
        follow_up.message(
            told(event, VolumeGalaxies(ranking=of, map_notice=event.latest, entered=(HOSTILE,)))
        ),
    ]
    for message in everything:
        assert message is not None and message.mentions == ()
        for block in message.blocks:
            if block["type"] in ("section", "context"):
                texts = [block["text"]] if "text" in block else block["elements"]
                assert all("<!channel>" not in one["text"] for one in texts)
                assert all("<https://evil.example" not in one["text"] for one in texts)
    csv_text = message_text.render(everything[1])  # type: ignore[arg-type]
    assert len([line for line in csv_text.splitlines() if line.startswith(("1,", "2,"))]) == 2
    region = message_text.render(everything[2])  # type: ignore[arg-type]
    (line,) = [line for line in region.splitlines() if "text={1 " in line]
    assert line.count("{") == line.count("}") == 1 and line.isascii()


@given(st.text(max_size=80))
def test_any_name_stays_on_its_line(name: str) -> None:
    of = ranking(name)
    shown = galaxy_lines.short_name(name)
    assert shown and "\n" not in shown and len(shown) <= 41
    assert "\n" not in marks_of(of).marks[0].text


def test_an_export_that_is_cut_says_how_many_are_shown(event: Superevent) -> None:
    of = ranking(*(f"G {number}" for number in range(300)))
    said = message_text.render(galaxies_export.csv_message(event, of))
    assert "by rank are here, as many as a message holds" in said
    whole = message_text.render(galaxies_export.csv_message(event, of, None))
    assert "are here" not in whole and "\n300,G 299," in whole
