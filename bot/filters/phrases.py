"""Phrases of several words, as the one word or sign that the language of filters has for them."""

from __future__ import annotations

import re

_WORDS = {
    r"early[ _-]warnings?": "early-warning",
    r"mass[ _-]gap": "massgap",
    r"chirp[ _-]mass(?:es)?": "mchirp",
    r"low[ _-]significance": "lowsig",
    r"high[ _-]significance": "significant",
    r"(?:binary )?neutron[ -]star[ -]black[ -]holes?": "NSBH",
    r"binary[ -]neutron[ -]stars?": "BNS",
    r"binary[ -]black[ -]holes?": "BBH",
    r"solar[ _-]mass(?:es)?": "Msun",
}
_BEFORE_NUMBERS = {
    r"more than|greater than|larger than|higher than|above|over": ">",
    r"less than|smaller than|lower than|fewer than|below|under": "<",
    r"at least": ">=",
    r"at most": "<=",
}
_RULES = (
    (re.compile(r"(?<![\w=|])at least (\d{1,2}) (?:detector|instrument)s?(?!\w)", re.I), r"instruments>=\1"),
    (re.compile(r"(?<![\w=|<>])(\d{1,2}) or more (?:detector|instrument)s?(?!\w)", re.I), r"instruments>=\1"),
    *((re.compile(rf"(?<![\w=|-])(?:{phrase})(?![\w-])", re.I), word) for phrase, word in _WORDS.items()),
    (re.compile(r"(?<=mchirp )between ([\d.]+)(?: ?M\S+)? and (?=[\d.])", re.I), r"\1.."),
    # Apart from its unit, the number may be a year: "within 2020 Mpc".
    (re.compile(r"(?<![\w=|])within ([\d.]+) (?=[kmg]pc(?!\w))", re.I), r"within \1"),
    (re.compile(r"(?<![\w=|])(?:closer than|nearer than) (?=[\d.]+ ?[kmg]pc)", re.I), "distance<"),
    *(
        (re.compile(rf"(?<![\w=|])(?:is )?(?:{phrase}) (?=[\d.])", re.I), sign)
        for phrase, sign in _BEFORE_NUMBERS.items()
    ),
)


_PARTS = (
    *("early", "mass", "significance", "neutron", "black", "at least", "or more", "between", "within"),
    *(phrase for phrases in _BEFORE_NUMBERS for phrase in phrases.split("|")),
    *("closer than", "nearer than"),
)
"""Whatever a rule matches contains one of these in lower case."""


def without_phrases(text: str) -> str:
    """Return the text with phrases replaced: "BNS above 0.9" is "BNS >0.9"."""
    # Looking for the parts takes a tenth of the rules' time. Letters beyond ASCII have other rules of case.
    if text.isascii():
        lower = text.lower()
        if not any(part in lower for part in _PARTS):
            return text
    for pattern, word in _RULES:
        text = pattern.sub(word, text)
    return text
