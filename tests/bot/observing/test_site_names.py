"""Sites in free text: names in a row as people write them, and what isn't a site."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.observing.gazetteer import sites_of_country
from bot.observing.observatories import UnknownSite, find_observatory, name_keys, observatories
from bot.observing.places import InvalidPlace, normalized_characters
from bot.observing.site_names import find_other_name, read_first_site, read_sites
from formatters.models.observing import Site

MINE = Site(name="Dome 2", latitude=34.2, longitude=-116.9, height=1700)
NAMES = [(name, o.site) for o in observatories() for name in (o.site.name, *o.aliases)]
OTHER_NAMES = [
    name
    for row in csv.DictReader(
        io.StringIO(files("bot.observing").joinpath("other_names.csv").read_text("utf-8"))
    )
    for name in row["names"].split(";")
]


def names(text: str, *own: Site) -> list[str]:
    return [site.name for site in read_sites(text, own)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Palomar and Keck", ["Palomar", "Keck"]),
        ("palomar paranal rubin keck", ["Palomar", "Paranal", "Rubin", "Keck"]),
        ("VLT ZTF DECam Gemini North", ["Paranal", "Palomar", "CTIO", "Gemini North"]),
        ("the Palomar Observatory", ["Palomar"]),
        ("Kitt Peak National Observatory", ["Kitt Peak"]),
        ("La Palma", ["La Palma"]),
        ("Nordic Optical Telescope", ["La Palma"]),
        ("Mount Palomar / Mt. Wilson", ["Palomar", "Mount Wilson"]),
        ("SPT", ["South Pole Telescope"]),
        ("CHIME/FRB, Pan-STARRS", ["CHIME", "Haleakalā"]),
        ("palomar/keck+subaru&vlt", ["Palomar", "Keck", "Subaru", "Paranal"]),
        ("Palomar (ZTF), VLT(UT4)", ["Palomar", "Paranal"]),
        ("Keck and the Subaru telescopes", ["Keck", "Subaru"]),
        ("34.2 -116.9 1700", ["34.20N 116.90W"]),
        ("Palomar, 34.2N 116.9W, Keck", ["Palomar", "34.20N 116.90W", "Keck"]),
        ("Dome 2 and Dome A", ["Dome 2", "Dome A"]),
        ("", []),
        ("the observatories", []),
    ],
)
def test_names_in_a_row_are_read_by_the_longest_match(text: str, expected: list[str]) -> None:
    assert names(text, MINE) == expected


def styled(name: str, style: str) -> str:
    match style:
        case "upper":
            return name.upper()
        case "lower":
            return name.lower()
        case "decomposed":
            return unicodedata.normalize("NFD", name)
        case "without accents":
            return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
        case "hyphens":
            return name.replace(" ", "\u2010")
        case "invisible":
            return name.replace(" ", "\u200b \u00a0")
        case "observatory":
            return f"the {name} Observatory"
    return name


STYLES = [
    "as it is",
    "upper",
    "lower",
    "decomposed",
    "without accents",
    "hyphens",
    "invisible",
    "observatory",
]


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(STYLES)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([", ", ",", "; ", " and ", " & ", " / ", " + ", ", and ", " or "]),
)
def test_every_name_in_any_spelling_and_combination_is_its_site(
    chosen: list[tuple[tuple[str, Site], str]], separator: str
) -> None:
    text = separator.join(styled(name, style) for (name, _), style in chosen)
    assert list(read_sites(text)) == list(dict.fromkeys(site for (_, site), _ in chosen))


@given(st.lists(st.sampled_from([n for n in NAMES if " " not in n[0]]), min_size=1, max_size=6))
def test_names_of_one_word_need_no_separator_unless_they_make_a_longer_name(
    chosen: list[tuple[str, Site]],
) -> None:
    words = [name for name, _ in chosen]
    joined = any(
        find_observatory(" ".join(words[a:b])) or find_other_name(" ".join(words[a:b]))
        for a in range(len(words))
        for b in range(a + 2, len(words) + 1)
    )
    if not joined:
        assert list(read_sites(" ".join(words))) == list(dict.fromkeys(site for _, site in chosen))


def test_no_two_sites_share_a_name_even_without_general_words() -> None:
    taken = Counter(
        key
        for o in observatories()
        for key in {key for name in (o.site.name, *o.aliases) for key in name_keys(name)}
    )
    assert [key for key, count in taken.items() if count > 1] == []


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_that_is_no_one_site_is_explained_and_no_observatory(name: str) -> None:
    assert find_observatory(name) is None
    other = find_other_name(name)
    assert other is not None
    assert all(find_observatory(site) is not None for site in other.sites)
    assert bool(other.sites) == (other.kind == "several"), other
    with pytest.raises(UnknownSite) as caught:
        read_sites(f"Palomar, {name}")
    assert name.split("/")[0] in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("LCO", "Las Campanas Observatory or Las Cumbres Observatory"),
        ("Las Cumbres Observatory", "not Las Campanas"),
        ("Gemini", "Gemini North or Gemini South"),
        ("Swift", "telescope in space"),
        ("JWST", "no site on the ground"),
        ("IceCube", "whole sky"),
        ("Tokyo", "city, not an observatory; the nearest site I know is Okayama"),
        ("new york keck", "“new york” is a city"),
        ("Japan", "is a country: name a site there, such as Okayama."),
        ("Keck, Chile", "“Chile” is a country: name a site there, such as CTIO, "),
        ("Finland", "“Finland” is a country, and I know no site there."),
        ("USA", "in all)."),
        ("Hawaii", "name one of Keck, Gemini North"),
        ("Palomr", "Did you mean Palomar?"),
        ("Palomr Kekc", "Did you mean Palomar or Keck?"),
        ("Siding", "Did you mean Siding Spring?"),
        ("palomar Atlantis keck", "no site called “Atlantis”."),
        ("Atlantis, Lemuria", "“Atlantis”. I know no site called “Lemuria”."),
        ("palomar 30", "“30” alone is no site"),
        ("???", "I know no site called “???”."),
        ("a, b1, c1, d1, e1", "And 2 more"),
        ("x" * 700, "too long"),
    ],
)
def test_what_is_no_site_is_named_with_what_may_be_meant(text: str, sentence: str) -> None:
    with pytest.raises(UnknownSite) as caught:
        read_sites(text)
    assert sentence in str(caught.value)


@given(
    st.lists(st.sampled_from([n for n, _ in NAMES]), max_size=3),
    st.text(st.characters(categories=["Ll", "Lu"], max_codepoint=0x17F), min_size=5, max_size=12),
    st.lists(st.sampled_from([n for n, _ in NAMES]), max_size=3),
)
def test_no_unknown_word_is_dropped_among_known_ones(before: list[str], word: str, after: list[str]) -> None:
    if find_observatory(word) or find_other_name(word):
        return
    with pytest.raises(UnknownSite) as caught:
        read_sites(", ".join([*before, word, *after]))
    assert f"“{normalized_characters(word)}”" in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        read_sites(text, [MINE])
    except (UnknownSite, InvalidPlace) as error:
        assert str(error).endswith((".", "?"))


@pytest.mark.parametrize("place", ["34.2 -116.9 1700", "80N 20E 100m", "34.2N 116.9W 1700m", "-63, 170, 0"])
@pytest.mark.parametrize("between", [" ", ", ", ",  "])
@pytest.mark.parametrize("behind", ["", " Palomar", ", Keck and Palomar"])
def test_a_place_may_be_a_radio_telescopes(place: str, between: str, behind: str) -> None:
    first, *others = read_sites(f"{place}{between}Radio{behind}")
    assert first.radio and not any(site.radio for site in others)
    assert not read_sites(f"{place}{behind}")[0].radio


def test_a_named_site_is_what_it_is_known_as() -> None:
    with pytest.raises(UnknownSite, match="radio"):
        read_sites("Palomar radio")


def test_every_observatory_with_a_time_zone_of_a_country_is_found_by_the_country() -> None:
    countries = ("Chile", "United States", "Spain", "India", "South Africa", "Australia", "Japan", "China")
    found = {site.name for country in countries for site in sites_of_country(country) or ()}
    assert {"Paranal", "Palomar", "La Palma", "Hanle", "MeerKAT", "Siding Spring", "Okayama", "FAST"} <= found
    assert sites_of_country("Atlantis") is None


def test_first_site_of_a_row_of_words_takes_as_many_as_it_needs() -> None:
    assert read_first_site(["la", "silla", "BNS"])[1] == 2
    assert read_first_site(["34.2", "-116.9", "1700", "m", "BNS"])[1] == 4
    assert read_first_site(["dome", "2", "BNS"], [MINE]) == (MINE, 2)
    for words in (["Atlantis"], [], ["palomar/keck"], ["Gemini"]):
        with pytest.raises(UnknownSite):
            read_first_site(words)
