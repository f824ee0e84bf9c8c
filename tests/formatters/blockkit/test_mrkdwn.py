import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formatters.blockkit import blocks, mrkdwn
from formatters.blockkit.mrkdwn import escape, plain_text, truncate, unescape, utf16_length, web_url

hostile = [*"&<>*_~`:;|@! aampltg\n\t", "😀", "\u202e", "\u00a0", "é"]
nasty = st.text(alphabet=st.sampled_from(hostile), max_size=80)
wordy = st.text(
    alphabet=st.characters(codec="ascii", categories=["L", "N"], include_characters="<&-. "), max_size=80
)
limits = st.integers(min_value=0, max_value=90)


@given(nasty | st.text(max_size=80), limits)
def test_escaping_fits_and_cuts_no_entity(text: str, limit: int) -> None:
    said = escape(text, limit)
    assert utf16_length(said) <= limit
    assert re.sub(r"&(amp|lt|gt);", "", said).count("&") == 0
    assert "<" not in said
    assert ">" not in said
    assert "\n" not in said


@given(nasty)
def test_nothing_that_formats_comes_out(text: str) -> None:
    said = unescape(escape(text))
    assert not set("*~`") & set(said)
    assert not re.search(r"(?<!\w)_|_(?!\w)", said)
    assert not said.startswith(">")
    assert not re.search(r":[A-Za-z+][\w+'-]*:", said)


@given(wordy)
def test_plain_words_come_through_unchanged(text: str) -> None:
    assert unescape(escape(text)) == " ".join(text.split())


def test_names_with_underscores_stay_readable() -> None:
    assert escape("targeted_subthreshold cwb_bbh") == "targeted_subthreshold cwb_bbh"
    assert escape("12:41:06 BNS>0.5 & <!channel>") == "12:41:06 BNS&gt;0.5 &amp; &lt;!channel&gt;"
    assert escape("*bold* _it_ ~no~ `code` :fire:") == "∗bold∗ ˍitˍ ∼no∼ ˋcodeˋ ꞉fire:"
    assert escape("> quoted") == "＞ quoted"


@given(st.text(max_size=60), limits)
def test_truncation_keeps_the_beginning(text: str, limit: int) -> None:
    said = truncate(text, limit)
    assert utf16_length(said) <= limit
    assert said == text or (text.startswith(said[:-1]) and said[-1:] in ("…", ""))


def test_truncation_counts_escaped_characters() -> None:
    assert escape("a&b&c", 100) == "a&amp;b&amp;c"
    assert escape("a&b&c", 8) == "a&amp;b…"
    assert escape("a&b&c", 7) == "a&amp;…"
    assert escape("a&b&c", 6) == "a…"
    assert plain_text("😀😀😀", 5) == "😀😀…"


def test_invisible_characters_are_removed() -> None:
    assert plain_text("S24\u202e1125\x00n\x1b[31m") == "S241125n[31m"
    assert plain_text(" a\r\n b\tc ") == "a b c"
    assert plain_text("95\u00a0%") == "95\u00a0%"


@given(nasty)
def test_unescape_inverts_slack_escaping(text: str) -> None:
    slack = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert unescape(slack) == text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://example.org/x",
        "https://",
        "https:///path",
        "//example.org",
        "https://example.org/a b",
        "https://example.org/|x",
        "https://example.org/<x>",
        "https://example.org/\n",
        "https://[::1",
        "https://example.org/" + "a" * 3000,
        "",
        None,
        17,
    ],
)
def test_only_web_addresses_become_links(url: object) -> None:
    assert web_url(url) is None
    assert mrkdwn.link(url, "Grace <DB>") == "Grace &lt;DB&gt;"


def test_links() -> None:
    assert web_url("HTTPS://example.org/x") == "HTTPS://example.org/x"
    assert mrkdwn.link("https://x.org/?a=1&b=2", "A & B") == "<https://x.org/?a=1&amp;b=2|A &amp; B>"


@given(st.lists(st.text(alphabet="ab", max_size=20), min_size=1, max_size=10), st.integers(5, 60))
def test_fit_lines_drops_whole_lines(lines: list[str], limit: int) -> None:
    said = blocks.fit_lines(lines, limit)
    assert utf16_length(said) <= limit
    kept = said.split("\n")
    if kept == lines:
        return
    assert kept[-1].endswith("…")
    assert kept[:-1] == lines[: len(kept) - 1]
    assert len(kept) == 1 or kept[-1] == "…"


@given(nasty, st.integers(1, 90))
def test_shortening_cuts_nothing_in_two(text: str, limit: int) -> None:
    marked = f"{escape(text)} <https://x.org/|{escape(text, 20)}> {escape(text)}"
    said = mrkdwn.truncate_escaped(marked, limit)
    assert utf16_length(said) <= limit
    assert said.count("<") == said.count(">")
    assert "&" not in re.sub(r"&(amp|lt|gt);", "", said)
    assert said == marked or marked.startswith(said.removesuffix("…"))
