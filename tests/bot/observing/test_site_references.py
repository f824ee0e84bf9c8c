"""How filters name sites: text that means the same place in every channel and after every version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError, parse_criteria, parse_stored_criteria
from bot.observing.observatories import observatories
from bot.observing.site_references import find_referenced_site, resolve_site, site_reference
from formatters.models.filter import SiteQuery, VisibleFrom
from formatters.models.observing import SITE_NAME_MAX, Site

MINE = Site(name="My Dome", latitude=34.2, longitude=-116.9, height=1700, radio=True)


def canonical(words: str) -> str:
    return parse_criteria(words, lambda named: resolve_site(named, [MINE])).canonical


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("visible from ZTF > 0.3", "all visible from Palomar>0.3"),
        (
            "visible from Palomar and BNS or visible from Keck",
            "all ((visible from Palomar>0.1 BNS) or visible from Keck>0.1)",
        ),
        ("visible from the Palomar Observatory BNS", "all visible from Palomar>0.1 BNS"),
        ("visible from La Palma > 20%", 'all visible from "La Palma">0.2'),
        ("visible from 34.2 -116.9 1700 > 0.3", 'all visible from "34.2N 116.9W 1700m">0.3'),
        ("visible from 34.2N, 116.9W BNS", 'all visible from "34.2N 116.9W 0m">0.1 BNS'),
        ("visible from my dome BNS", 'all visible from "My Dome 34.2N 116.9W 1700m radio">0.1 BNS'),
        ('visible from "gemini north"', 'all visible from "Gemini North">0.1'),
    ],
)
def test_a_filter_takes_sites_as_people_call_them(words: str, expected: str) -> None:
    assert canonical(words) == expected
    assert parse_stored_criteria(expected).canonical == expected
    # Pasted into another channel, from the post about a change or from an export, it means the same.
    assert parse_criteria(expected, resolve_site).canonical == expected


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("visible from LCO", "Las Campanas Observatory or Las Cumbres"),
        ("visible from Palomr > 0.3", "Did you mean Palomar?"),
        ("visible from Swift", "telescope in space"),
        ("visible from 34.2 -116.9", "height in metres"),
        ('visible from "palomar keck"', "more than one site"),
        ("visible from palomar/keck", "more than one site"),
        (
            "visible from Palomar and Keck > 0.3",
            '"Keck" is another site: write and visible from Keck for it.',
        ),
        ("visible from palomar la silla BNS", "write or visible from la silla for it."),
    ],
)
def test_a_filter_says_why_a_site_is_none(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        canonical(words)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("site", [o.site for o in observatories()], ids=lambda site: site.name)
def test_every_observatory_is_referred_to_by_its_name(site: Site) -> None:
    assert site_reference(site) == site.name
    assert find_referenced_site(site.name) == site


@given(
    name=st.text(min_size=1, max_size=SITE_NAME_MAX),
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    height=st.floats(-500, 8_900),
    radio=st.booleans(),
)
def test_any_site_is_found_again_by_its_reference(
    name: str, latitude: float, longitude: float, height: float, radio: bool
) -> None:
    site = Site(name=name, latitude=latitude, longitude=longitude, height=height, radio=radio)
    reference = site_reference(site)
    found = find_referenced_site(reference)
    assert found is not None
    assert (found.latitude, found.longitude) == pytest.approx((latitude, longitude), abs=1e-4)
    assert found.height == pytest.approx(height, abs=1) and found.radio == radio
    assert site_reference(found) == reference
    stored = VisibleFrom(SiteQuery(reference)).canonical
    assert parse_stored_criteria(stored).canonical == f"all {stored}"


@pytest.mark.parametrize("reference", ["Atlantis", "91N 10E 5m", "10N 181E 5m", "10N 20E 9999m", ""])
def test_a_reference_to_no_place_finds_nothing(reference: str) -> None:
    assert find_referenced_site(reference) is None
