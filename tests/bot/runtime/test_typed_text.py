"""Typed text in one spelling: dashes, primes, digits, blanks, and the marks that Slack puts around words."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.runtime.typed_text import normalize_typed_text


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("13ʰ09ᵐ48ˢ.1 −23°22′53″", "13h09m48s.1 -23°22'53\""),
        ("23º 23˚ 23∘ 23ᵒ 23⁰22’ 23̊", "23° 23° 23° 23° 23°22' 23°"),
        ("–5 ‐5 ‑5 ‒5 —5 ―5 −5 －5 ﹣5 ➖5", " ".join(["-5"] * 10)),
        ("＋5 ➕5 40+/-5 40 +/− 5 ±", "+5 +5 40±5 40 ± 5 ±"),
        ("１９７．４５ ＲＡ　𝟏𝟐 ١٢٫٥", "197.45 RA 12 12.5"),
        ("197.45\u00a0-23.38\u2009Mpc\u202f5\u3000x", "197.45 -23.38 Mpc 5 x"),
        ("\u200b19\u200d7\ufeff.4\u20605\u200e", "197.45"),
        ("\u00ad23.4 Palo\u00admar", "-23.4 Palomar"),
        ("µ 𝛼 α δ", "μ α α δ"),
        ("“La Silla” „La Silla“ «La Silla»", '"La Silla" "La Silla" "La Silla"'),
        ("⩽ ≦ ≤ ＜", "≤ ≤ ≤ <"),
        ("a\r\nb\rc\u2028d\te", "a\nb\nc\nd\te"),
        ("13∗09ˍ48ˋ12꞉30∼＞", "13*09_48`12:30~>"),
        ("Gruber ﬁlter Ⅻ", "Gruber filter XII"),
        # No character may lengthen a number: an exponent, an index and a fraction aren't digits of it.
        ("10⁻⁸ 1×10⁻⁸ 3 x 10^5 2.5·10^-3", "1e-8 1e-8 3e5 2.5e-3"),
        ("deg² yr⁻¹ 5² H₀ H₁₀ 10₂ 12½ 1①", "deg2 yr^-1 5^2 H0 H10 10₂ 12½ 1①"),
        # Between blanks and before a number an em dash may be either.
        ("197.45 — 23.38", "197.45 — 23.38"),
        ("S230518h — history", "S230518h - history"),
    ],
)
def test_characters_have_one_spelling(typed: str, plain: str) -> None:
    assert normalize_typed_text(typed) == plain


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("`S230518h` *S230518h* _S230518h_ ~S230518h~", "S230518h S230518h S230518h S230518h"),
        ("*_`S230518h`_*, (*x*) *two words*", "S230518h, (x) two words"),
        ("```\n10 20\n30 40\n```", "\n10 20\n30 40\n"),
        ("`-23°22'53\"` *RA:* _Dec=_ 10", "-23°22'53\" RA: Dec= 10"),
        ("*BNS*>0.5 area90<`500`", "BNS>0.5 area90<500"),
        ("far&lt;1/yr BNS&gt;0.5 CBC &amp; V1 &amp;lt;", "far<1/yr BNS>0.5 CBC & V1 <"),
        ("<tel:194.3042|194.3042> <tel:1712345> <mailto:a@b.org|a@b.org>", "194.3042 1712345 a@b.org"),
        ("<http://gwevent.io|gwevent.io> <https://x.org/a>", "gwevent.io https://x.org/a"),
        ("<https://gracedb.ligo.org/superevents/S230518h/view/|here>", "S230518h"),
        ("<https://gracedb.ligo.org/superevents/S230518h/view/>", "S230518h"),
        ("is https://gracedb-playground.ligo.org/superevents/MS230518h/view/, up", "is MS230518h, up"),
        ("https://gracedb.ligo.org/api/superevents/S230518h/files/?a=b", "S230518h"),
        ("> check 10 20\n> 20 30", "check 10 20\n20 30"),
        ("> latest\n> BNS", "latest\nBNS"),
        ("• M 31\n• M 33", "M 31\nM 33"),
    ],
)
def test_marks_around_words_and_links_go(typed: str, plain: str) -> None:
    assert normalize_typed_text(typed) == plain


@pytest.mark.parametrize(
    "typed",
    [
        "far<1/yr",
        "BNS>0.5 and not V1",
        ">0.5",
        "> 0.5",
        ">=0.5",
        "~BNS and ~NSBH",
        "(~BNS|~NSBH)",
        "~(BNS or NSBH) & ~V1",
        "AT2017_gfo AT_2017_gfo my_site_1",
        "Sgr A* 10 20",
        "Sgr A* and M81*",
        "13h09'48`",
        "10d20`30``",
        "notify <@U024BE7LH> <@U1|ann> <!here> <!subteam^S0AB1|@group> <#C1|general>",
        "13 × 48 ± 5 α δ",
        "Côte d'Azur",
        "name\t10.5\t-20.5",
        "🔭 🌌",
        "",
    ],
)
def test_what_means_something_stays(typed: str) -> None:
    assert normalize_typed_text(typed) == typed


PIECES = [
    *"*_~`<>|&;#@!^+-/.,:=()[]'\"×xα°º˚ −–—\u00ad\u200b\u00a0\u2009\n\r\t⁰¹⁻₂½０ａ•◦\u030a\u0301e10",
    *(
        "amp;",
        "&lt;",
        "<tel:",
        "<http://",
        "https://g.org/superevents/",
        "S230518h",
        "10^",
        "+/-",
        "```",
        "> ",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join) | st.text())
@example("<tel:1|<tel:2|<tel:3|x>>>")
@example("_a *b_ c*")
@example("1\u200b₂ *10^5* e\u200b\u0301")
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = normalize_typed_text(text)
    assert normalize_typed_text(once) == once


@given(st.text())
def test_the_result_has_no_invisible_characters_and_one_blank(text: str) -> None:
    for character in normalize_typed_text(text):
        category = unicodedata.category(character)
        assert category not in ("Cf", "Zl", "Zp") and (category != "Zs" or character == " ")
        assert category not in ("Cc", "Nd") or character in "\n\t0123456789"


BLANKS = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Zs"]
DASHES = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Pd"] + ["−", "➖", "\u00ad"]
INVISIBLE = ["", "\u200b", "\u200d", "\ufeff", "\u2060", "\u200e", "\ufe0f"]


@given(
    st.floats(0, 360).map(lambda n: f"{n:.6f}"),
    st.floats(0, 90).map(lambda n: f"{n:.6f}"),
    st.sampled_from(BLANKS),
    st.sampled_from(DASHES),
    st.lists(st.sampled_from(INVISIBLE), min_size=30, max_size=30),
    st.integers(0, 60).map(lambda n: unicodedata.lookup("FULLWIDTH DIGIT ZERO") if n % 2 else "0"),
)
def test_a_number_in_any_unicode_is_the_same_number(
    ra: str, dec: str, blank: str, dash: str, invisible: list[str], zero: str
) -> None:
    plain = f"{ra} -{dec}"
    digits = {ord("0") + n: chr(ord(zero) + n) for n in range(10)}
    typed = f"{ra}{blank}{dash}{dec}".translate(digits)
    typed = "".join(c + mark for c, mark in zip(typed, invisible, strict=False)) + typed[len(invisible) :]
    assert normalize_typed_text(typed) == plain


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8), st.integers(1, 999))
def test_no_character_after_a_number_makes_it_longer(after: str, number: int) -> None:
    """Characters that aren't decimal digits never become digits that touch the number before them."""
    result = normalize_typed_text(f"{number}{after}")
    visible = [c for c in unicodedata.normalize("NFC", after) if unicodedata.category(c) != "Cf"]
    if not visible or unicodedata.category(visible[0]) != "Nd":
        touching = re.match(r"\d+", result)
        assert touching is None or len(touching[0]) <= len(str(number))


@pytest.mark.parametrize("piece", ["*_", "<tel:|", "&amp;", "`x ", "https://", "~", "_a ", "1 ", "> "])
def test_a_hostile_text_takes_no_longer_than_its_length(piece: str) -> None:
    assert len(normalize_typed_text(piece * 20_000)) <= len(piece) * 20_000
