"""Normalization of typed text: one spelling of dashes, primes, digits and blanks, without Slack's markup.

Every parser of what people type takes its text through `normalize_typed_text`. A character that stands in no
table here stays as it was typed: the parser refuses the word, and its answer shows it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

_MAX_PASSES = 25
"""Passes over a text; Slack nests nothing, and two suffice for what people type."""

_SPELLINGS = {
    "-": "\u2212\u02d7\u2043\u2796\ufe63\uff0d",
    "+": "\u2795\ufb29",
    "'": "\u2032\u2035\u2018\u2019\u201b\u02b9\u02bc\u00b4\u02c8\u02ca",
    '"': "\u2033\u2036\u201c\u201d\u201e\u201f\u02ba\u02dd\u00ab\u00bb\u3003\u275d\u275e",
    "°": "\u00ba\u02da\u2218\u1d52\u309c\uff9f",
    ":": "\u2236\ua789",
    "/": "\u2044\u2215",
    ",": "\u3001\u066c",
    ".": "\u066b\u3002",
    "≤": "\u2a7d\u2266",
    "≥": "\u2a7e\u2267",
    "~": "\u223c\u02dc",
    "*": "\u2217",
    "`": "\u02cb",
    "_": "\u02cd",
    " ": "\u2800\u3164",
    "\n": "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029",
}
"""ASCII, degree or comparison sign -> the characters that are written for it.

Among them are the look-alikes by which `formatters.blockkit.mrkdwn.escape` shows names, so that the bot's own
words can be pasted back.
"""
_PLAIN = {variant: plain for plain, variants in _SPELLINGS.items() for variant in variants}
_SAME_CHARACTER = frozenset({"<wide>", "<narrow>", "<small>", "<font>", "<noBreak>"})
"""Tags of Unicode decompositions that show the same character in another width or font."""
_LETTERS_ONLY = "<compat>"
"""Tag of decompositions that are taken for letters only: "ﬁ" is "fi", but "⒈" stays."""
_RAISED = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_LOWERED = frozenset("₀₁₂₃₄₅₆₇₈₉₊₋")
_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
_SOFT_HYPHEN = "\u00ad"
_RINGS = frozenset("\u030a\u25e6")
"""A combining ring and a white bullet: degrees after a digit only."""
_EM_DASHES = frozenset("\u2014\u2015\u2e3a\u2e3b")

_NEEDS_WORK = re.compile(r"[^\x20-\x7e\t\n]|[&<*_~`^|>]|://|\+/-")
_ENTITY = re.compile(r"&(?:amp;)*(amp|lt|gt);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}
_LINK = re.compile(r"<((?:https?://|mailto:|tel:)[^<>|\n]*)(?:\|([^<>\n]*))?>", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>|]+", re.IGNORECASE)
_EVENT_IN_URL = re.compile(r"/superevents/([^/?#]+)", re.IGNORECASE)
_BEFORE_MARK = frozenset(" \t\n([{\"',;:")
_OPENING = frozenset("([{")
_AFTER_MARK = frozenset(" \t\n)]}\"',;:.!?")
_SIGNS = frozenset("<>=|")
"""May stand at a mark too, as in "*BNS*>0.5"; not at "~", which is a sign of the filter language itself."""
_MARKS = re.compile(r"[*_~`]+")
_QUOTED_LINE = re.compile(r"[ \t]*(?:>(?![=.\d])[ \t]*)+")
_COMPARISON = re.compile(r"\s*>\s*[.\d]")
_BULLET = re.compile(r"^[ \t]*[•◦▪‣●][ \t]+", re.MULTILINE)
_POWER_OF_TEN = re.compile(
    r"(?:(?<=\d)[ \t]*[×·x*][ \t]*10|(?<![\w.,^])10)\^([+-]?\d{1,3})(?![\d.])", re.IGNORECASE
)


def normalize_typed_text(text: str) -> str:
    """Return typed text in one spelling, without the marks that Slack or a word processor puts around words.

    Dashes and minuses become "-", primes and quotes "'" and '"', rings "°", all blanks " ", digits and
    letters of other widths or fonts ASCII; invisible characters go. Slack's entities are replaced, links by
    their label, a link to an event in GraceDB by the event's id; mentions stay. `* _ ~` and backticks go only
    in pairs around words: "far<1/yr", "~BNS" and "AT2017_gfo" stay. An exponent stays one: "10⁻⁸" is "1e-8".
    An em dash between blanks and before a number stays, since it may separate or be a minus. Lines and tabs
    are kept. Normalizing twice changes nothing.
    """
    for _ in range(_MAX_PASSES):
        if _NEEDS_WORK.search(text) is None:
            break
        before = text
        text = _without_invisible(text.replace("\r\n", "\n"))
        text = "".join(_plain_characters(unicodedata.normalize("NFC", text)))
        text = _ENTITY.sub(lambda match: _ENTITIES[match[1]], text)
        text = _URL.sub(_event_or_url, _LINK.sub(_link_text, text))
        text = _BULLET.sub("", _without_quote_marks(_without_marks(text)))
        text = _POWER_OF_TEN.sub(_scientific, text).replace("+/-", "±")
        if text == before:
            break
    return text


def _without_invisible(text: str) -> str:
    visible = "".join(
        c
        for c in text
        if c == _SOFT_HYPHEN or (unicodedata.category(c) != "Cf" and c not in _VARIATION_SELECTORS)
    )
    # Some PDF files have a soft hyphen where they show a minus.
    return re.sub(rf"{_SOFT_HYPHEN}(?=\d)", "-", visible).replace(_SOFT_HYPHEN, "")


def _plain_characters(text: str) -> Iterator[str]:
    """Yield the spelling of each character, which may have two characters."""
    previous = ""
    for at, character in enumerate(text):
        if character.isascii() and character.isprintable():
            plain = character
        else:
            plain = _plain_character(character, previous, text, at)
        yield plain
        previous = plain[-1]


def _plain_character(character: str, previous: str, text: str, at: int) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    if character in "\t\n" or (character in _EM_DASHES and _may_separate(text, at)):
        return character
    after_digit = previous.isascii() and previous.isdigit()
    if character in _RINGS and after_digit:
        return "°"
    if character in _RAISED:
        return _raised(character, text, at, after_digit=after_digit)
    if character in _LOWERED and (after_digit or previous in _LOWERED) and not _goes_on(text, at, previous):
        return character
    match unicodedata.category(character):
        case "Pd":
            return "-"
        case "Zs" | "Cc":
            return " "
        case "Nd":
            return str(unicodedata.decimal(character))
    tag, _, code_points = unicodedata.decomposition(character).partition(" ")
    written = "".join(chr(int(code, 16)) for code in code_points.split()) if tag.startswith("<") else ""
    written = "".join(_PLAIN.get(one, one) for one in written)
    if tag in _SAME_CHARACTER or character in _LOWERED:
        return written
    return written if written.isalpha() and tag in (_LETTERS_ONLY, "<super>", "<sub>") else character


def _raised(character: str, text: str, at: int, *, after_digit: bool) -> str:
    """Spell a superscript as an exponent where it would lengthen a number: "10⁸" isn't "108"."""
    written = _PLAIN.get(plain := unicodedata.normalize("NFKC", character), plain)
    if at > 0 and text[at - 1] in _RAISED:
        return written
    if character == "⁰" and after_digit and text[at + 1 : at + 2] not in _RAISED:
        return "°"
    return f"^{written}" if after_digit or not written.isdigit() else written


def _goes_on(text: str, at: int, previous: str) -> bool:
    """Return whether a subscript follows one that became a digit, as in "H₁₀"."""
    return text[at - 1 : at] in _LOWERED and previous not in _LOWERED


def _may_separate(text: str, at: int) -> bool:
    """Return whether the dash stands between blanks and before a number: "197.45 — 23.38"."""
    after = text[at + 1 :]
    return text[at - 1 : at].isspace() and after[:1].isspace() and after.lstrip()[:1].isdigit()


def _link_text(match: re.Match[str]) -> str:
    target, label = match[1], match[2]
    event = _EVENT_IN_URL.search(target)
    if event is not None:
        return unquote(event[1])
    return label or re.sub(r"^(?:mailto|tel):", "", target, flags=re.IGNORECASE)


def _event_or_url(match: re.Match[str]) -> str:
    url = match[0].rstrip(",.;:!?)")
    event = _EVENT_IN_URL.search(url)
    return match[0] if event is None else unquote(event[1]) + match[0][len(url) :]


def _without_marks(text: str) -> str:
    """Remove `* _ ~` and backticks in pairs around words of one line, backticks also around lines."""
    opened: dict[str, list[int]] = {}
    removed: set[int] = set()
    line_start = 0
    for run in _MARKS.finditer(text):
        newline = text.rfind("\n", line_start, run.start())
        if newline >= 0:
            line_start = newline + 1
            opened = {"`": opened.get("`", [])}
        before, after = text[run.start() - 1 : run.start()], text[run.end() : run.end() + 1]
        # A code block begins and ends with three backticks, and may have lines of its own for them.
        fence = run[0] == "```"
        signs = frozenset[str]() if "~" in run[0] else _SIGNS
        begins = not before or before in _BEFORE_MARK | signs
        ends = not after or after in _AFTER_MARK | signs
        if begins and ((not ends and not after.isspace()) or (fence and not opened.get("`"))):
            for at in range(run.start(), run.end()):
                opened.setdefault(text[at], []).append(at)
        elif ends and ((before and not before.isspace() and before not in _OPENING) or fence):
            for at in range(run.start(), run.end()):
                if opened.get(text[at]):
                    removed |= {at, opened[text[at]].pop()}
    return "".join(c for at, c in enumerate(text) if at not in removed) if removed else text


def _without_quote_marks(text: str) -> str:
    """Remove the ">" of a quotation, if every line that isn't empty has one."""
    lines = text.split("\n")
    if _COMPARISON.match(text):
        return text
    if all(_QUOTED_LINE.match(line) for line in lines if line.strip()):
        return "\n".join(_QUOTED_LINE.sub("", line, count=1) for line in lines)
    return text


def _scientific(match: re.Match[str]) -> str:
    return f"1e{match[1]}" if match[0].startswith("10") else f"e{match[1]}"
