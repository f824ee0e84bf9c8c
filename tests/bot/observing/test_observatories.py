"""The table of observatories."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bot.observing.observatories import (
    UnknownSite,
    find_observatory,
    find_site,
    normalized_name,
    observatories,
    suggest_names,
)
from formatters.blockkit.mrkdwn import escape
from formatters.models.observing import SITE_NAME_MAX, Site

MINE = Site(name="My Dome", latitude=34.2, longitude=-116.9, height=1700)


def test_there_are_enough_of_both_kinds() -> None:
    kinds = Counter(o.site.radio for o in observatories())
    assert kinds[False] >= 40 and kinds[True] >= 15


def test_no_two_have_a_name_in_common() -> None:
    names = Counter(
        name for o in observatories() for name in {normalized_name(n) for n in (o.site.name, *o.aliases)}
    )
    assert [name for name, count in names.items() if count > 1] == []
    assert all(names)


def test_positions_are_valid_and_have_a_source() -> None:
    for o in observatories():
        assert -90 <= o.site.latitude <= 90 and -180 <= o.site.longitude <= 180, o
        assert 0 < o.site.height < 5_200 and o.source.strip(), o
        assert len(o.site.name) <= SITE_NAME_MAX and escape(o.site.name) == o.site.name


def test_each_clock_goes_with_its_longitude() -> None:
    """A longitude of the wrong sign, or another place's time zone, would be seen here."""
    for o in observatories():
        if abs(o.site.latitude) > 80:
            continue  # where all meridians meet, clocks follow whoever brings the supplies
        assert o.site.zone is not None
        offset = datetime(2026, 6, 1, tzinfo=ZoneInfo(o.site.zone)).utcoffset()
        assert offset is not None
        assert abs(offset.total_seconds() / 3_600 - o.site.longitude / 15) < 3.1, o


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("palomar", "Palomar"),
        ("ZTF", "Palomar"),
        ("  la   SILLA ", "La Silla"),
        ("mt. wilson", "Mount Wilson"),
        ("haleakala", "Haleakalā"),
        ("HESS", "H.E.S.S."),
        ("cerro pachon", "Gemini South"),
    ],
)
def test_names_in_any_case_and_by_their_aliases(asked: str, name: str) -> None:
    assert find_site(asked).name == name


def test_custom_sites_take_precedence() -> None:
    other = Site(name="palomar", latitude=1, longitude=2, height=3)
    assert find_site("Palomar", [other]) is other
    assert find_site("mydome", [MINE]) is MINE


def test_unknown_site_suggests_similar_names() -> None:
    with pytest.raises(UnknownSite, match=r"“Palomr”\. Did you mean Palomar\?"):
        find_site("Palomr")
    assert suggest_names("mydone", [MINE])[0] == "My Dome"
    with pytest.raises(UnknownSite) as caught:
        find_site("xyzzy")
    assert "mean" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "🔭", "***", " "])
def test_text_without_letters_matches_no_observatory(name: str) -> None:
    assert find_observatory(name) is None and suggest_names(name) == []
