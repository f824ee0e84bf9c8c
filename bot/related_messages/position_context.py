"""Read the words around a position: whose it is, its name, error, redshift and distance."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BEFORE = 320
_AFTER = 320
"""Characters on either side in which a sentence is looked for."""

_SENTENCE_END = re.compile(
    r"\n[^\S\n]*\n(?![^\S\n]*[a-z(])|"
    # The dot comes first: lookbehinds at each character of the text would take most of the time.
    r"[.!?](?<!\bal[.])(?<!\bCirc[.])(?<!\bR\.A[.])(?<!\bDec[.])(?<!\bDecl[.])(?<!\bNo[.])(?<!\bRef[.])"
    r"[\"')\]]?\s{1,4}(?=[A-Z*\[])"
)
NAME = re.compile(
    r"(?<![\w/])(?:"
    r"(?:AT|SN)[ _]?(?:19|20)\d\d[A-Za-z]{1,6}"
    r"|ZTF\d\d[a-z]{5,9}|ATLAS\d\d[a-z]{2,5}|GOTO\d\d[a-z]{1,6}|Gaia\d\d[a-z]{2,5}|PS\d\d[a-z]{1,5}"
    r"|i?PTF\d\d[a-z]{1,5}|DLT\d\d[a-z]{1,4}|SSS\d\d[a-z]{1,3}|BG\d\d[a-z]{1,5}|BlackGEM\w{1,12}"
    r"|DES\d\d\w{1,10}|(?:LSST|C)-\w{1,20}"
    r"|EP[_ ]?J?\d{6}[a-z]{0,3}|EPW?\d{8}[a-z]?"
    r"|(?:MASTER OT|Swift|MAXI|eRASSt|EP|SRGA|SRGe|XRT|SVOM|IGR|PSN|CSS|SDSS|WISEA?|2MASX?|CXOU?|4FGL|NuSTAR)"
    r" ?J\d{3,8}(?:\.\d{1,3})?(?:[+-]\d{2,6}(?:\.\d{1,3})?)?"
    r"|GRB ?\d{6}(?:\.\d{2}|[A-Z])?|FRB ?(?:20)?\d{6}[A-Za-z]{0,2}|IC ?\d{6}[A-Z]|IceCube-\d{6}[A-Z]"
    r"|KM3-\d{6}[A-Z]|M?S\d{6}[a-z]{1,4}_X\d{1,4}|SGR ?\d{4}[+-]\d{2,4}"
    r"|(?:[Ss]ource|[Cc]andidate|[Tt]ransient|SOURCE|XRT source) #?\d{1,3}"
    r")(?![\w-])"
)
"""Names of transients. A name of another form isn't recognized: its position is then found without a name."""

_OTHER_PLACE = re.compile(
    r"pointing|pointed|field|fov|\btile|centered|centred|\bearth\b|\bsun\b|solar|moon\b|geocent|zenith|nadir"
    r"|corner|vertex|vertices|annul|ellips|polygon|rectang|observatory|telescope is|latitude|longitude"
    r"|boresight|optical axis|spin axis|calibrator|comparison star|reference star|standard star|asteroid"
    r"|coverage|phase cent|\baim(?:ed|point)|\btargeted|\bgalaxies\b|\bpixel"
    r"|(?:peak|maxim\w{0,4}|cent(?:er|re|roid)|mode)\b[^.\n]{0,40}(?:sky ?map|localization|probability)"
    r"|(?:sky ?map|localization|probability)\W{1,3}(?:peak|maxim\w{0,4}|cent(?:er|re|roid)|mode)\b"
)
"""Words before a position that make it the place of something else than a source: where a telescope looks,
the Sun, the Earth, a corner of a region, a comparison star."""
_MAP = re.compile(r"\b(?:sky[ -]?)?maps?\b")
"""Before a position: the position is the map's, whatever property of it ("the sky map's mode")."""
_WITH_A_MAP = re.compile(
    r"\b(?:based on|using|from|with|within|inside|in|on|by|to)\b[^.,;:]{0,40}?"
    r"(?P<whose>\b(?:sky[ -]?)?maps?\b)(?!['’])"
)
"""A map by which or in which something was found: the position may be that thing's."""
_OF_A_PROBABILITY = re.compile(r"\b(?:sky[ -]?)?maps?\b|\bposteriori?\b")
"""Words for a map or posterior, whose peak also has a position: it is a source's only if one is named."""
_MAP_OF = re.compile(
    r"\b(?:(?:sky[ -]?)?maps?|localization|probability|posterior)\b"
    r"(?:\s(?!at\b|is\b|are\b|was\b|were\b)[\w-]{1,30}){0,3}?\s(?:of|for)\s(?:[\w/-]{1,30}\s){0,4}?(?P<whose>event|trigger|candidate|source|m?s\d{6}[a-z]{1,5})\b"
)
"""The owner of a map ("the sky map of the event peaks at"): no word for a source at the position."""
_UNRELATED = re.compile(r"\bunrelated\b|\bnot (?:be )?(?:related|associated|connected)\b|\bruled out\b")
_SOURCE = re.compile(
    r"source|transient|counterpart|candidate|afterglow|\bburst|\bgrb|\bfrb|trigger|neutrino|\btrack|\bobject"
    r"|supernova|kilonova|\bnova\b|flare|\bot\b|\bevent\b"
)
_WHEN = re.compile(
    r"(?P<whose>(?:\b(?:at|during)|\btime\sof)\s(?:the\s)?(?:time\s(?:of\s)?(?:the\s)?)?(?:trigger|event|burst|merger|grb|gw)\b"
    r"(?!\s(?:position|location|site|direction|coordinates)))"
)
"""When something pointed or stood there ("the boresight at the trigger time was"): no word for a source."""
_FUNCTION_WORD = re.compile(
    r"an?|the|th(?:is|at|ese|ose|en|an)|its?|we|and|or|but|nor|so|as|at|by|for|from|in(?:to)?|on(?:ly)?|off?|over|to"
    r"|under|with(?:in|out)?|per|if|whil?e|when|where|which|whos?e?|after|before|since|until|during|via|near|is|are"
    r"|was|were|be(?:en|ing)?|ha[sd]|have|can|could|may|might|will|would|do(?:es)?|did|not?|also|both",
    re.IGNORECASE,
)
_DIRECTLY_BEHIND = re.compile(
    r"(?:[^\S\n]{0,2}(?P<open>[(\[])?[^\S\n]?|[^\S\n]{0,2}\n[^\S\n]{0,8}(?=[a-zµσ]))(?P<word>[^\W\d_]+|[%°'\"])"
    r"(?P<close>[^\S\n]?[)\]])?"
)
_NO_UNIT = re.compile(
    r"(?=\w{4})[^\Waeiou]*[aeiou]\w*(?:ed|ing|ly)"
    r"|(?:ICRS|FK|J|RA|host|galax(?:y|ies)|spectro\w+|photo\w+)|(?:"
    + _SOURCE.pattern.replace(r"\b", "")
    + r")\w{0,2}",
    re.IGNORECASE,
)
"""Other words behind a number that are no unit: verbs and adverbs (before whose ending stands a vowel, which
"kly" lacks), frames, and whose the number is ("a z=0.03 galaxy")."""
_NOT_A_POSITION = re.compile(
    r"(?:errors?|uncertaint(?:y|ies)|offsets?|accuracy|precision|rms|shifts?|scatter|motions?|sigma|step|size"
    r"|dither|difference)(?:[^\S\n](?:of|in|on|are|is|were|was|for|by))?[^\S\n]?[=:(]?[^\S\n]?$"
)

_NUMBER = r"\d{1,5}(?:\.\d{1,6})?"
_UNIT = r"(?P<{0}>deg(?:rees?|s)?\b\.?|°|arc-?[ ]?min(?:ute)?s?\b|'|arc-?[ ]?sec(?:ond)?s?\b|\"|mas\b)"
_RADIUS = re.compile(
    rf"(?P<what>systematic[^\d.]{{0,12}})?(?:errors?|uncertaint(?:y|ies)|radius|accuracy)\b"
    rf"(?:[^\d]{{0,40}}?\d\d(?:\.\d{{1,2}})?[ ]?%)?[^\d]{{0,40}}?"
    rf"(?P<value>{_NUMBER})[ -]?{_UNIT.format('unit')}"
    rf"(?P<more>[ ]?(?:and|x|×|by|,)[ ]{{0,2}}\d)?"
)
_RADIUS_FIRST = re.compile(
    rf"(?P<value>{_NUMBER})[ -]?{_UNIT.format('unit')}[ ,(]{{0,3}}(?:\d\d(?:\.\d)?[ ]?%[^\d.]{{0,20}}?)?"
    r"(?:error|radius|uncertainty|containment|confidence)(?P<what>a^)?(?P<more>a^)?"
)
_PLUS_MINUS_BEFORE = re.compile(rf"±[ ]?(?P<value>{_NUMBER})[ ]?{_UNIT.format('unit')}[ ]?[:,]?\s{{0,4}}$")
_PERCENT = re.compile(r"(?<![\d.])(\d\d(?:\.\d{1,2})?)[ ]?(?:%|percent|per cent)")
_REDSHIFT = re.compile(
    # A capital Z alone is a metallicity.
    r"(?<![\w.])(?:(?:z(?:_?\{?(?:host|spec|phot|sp|ph|hel)\}?)?|Z_?\{?(?:spec|phot|sp|ph|hel)\}?)"
    r"[ ]?(?:=|:)[ ]?"
    r"|(?P<word>(?i:redshift))\b(?P<between>[^\d.;<>~]{0,25}?))"
    r"(?P<z>\d{1,2}\.\d{1,6})(?!\d|\.\d)(?:[ ]?±[ ]?(?P<error>\d?\.\d{1,6}))?(?![ ]?-[ ]?\d)"
)
_UNSURE = re.compile(r"limit|between|range|assum|less|more|max|min|\bif\b", re.IGNORECASE)
_DISTANCE = re.compile(
    rf"\b(?:distance|dist\.?|D_?L|d)\b[^\d<>~;.]{{0,30}}?(?P<value>{_NUMBER})"
    rf"(?:[ ]?±[ ]?(?P<error>{_NUMBER}))?[ ]?(?P<unit>[MG])pc\b"
)
_ABOUT_THE_EVENT = re.compile(
    r"\bGW\b|\bLVK\b|LIGO|sky ?map|posterior|marginali|credible|line of sight", re.IGNORECASE
)

_DEGREES = {"d": 1.0, "°": 1.0, "'": 1 / 60, '"': 1 / 3600, "m": 1 / 3_600_000}


@dataclass(frozen=True, slots=True)
class Context:
    """The sentence around a position, or the part of it that is about the position."""

    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """The properties that a sentence gives of the position in it; None where it says nothing or nothing
    certain.
    """

    radius: float | None = None
    containment: float | None = None
    redshift: float | None = None
    redshift_error: float | None = None
    distance: float | None = None
    distance_error: float | None = None


_CONTINUES = re.compile(
    r"(?:[:,(]|\b(?:at|is|are|be|with|and|position|coordinates|location))$", re.IGNORECASE
)
"""The end of a line whose sentence goes on behind a blank line, as before a position on a line of its own."""


def context_of(text: str, start: int, end: int, next_start: int) -> Context:
    """Return the sentence around text[start:end], up to the next position."""
    before = text[max(0, start - _BEFORE) : start]
    cut = 0
    for match in _SENTENCE_END.finditer(before):
        if match[0][0] != "\n" or _CONTINUES.search(before[: match.start()].rstrip()[-20:]) is None:
            cut = match.end()
    after = text[end : min(next_start, end + _AFTER)]
    stop = _SENTENCE_END.search(after)
    return Context(before[cut:], after if stop is None else after[: stop.start()])


def is_unrelated(context: Context) -> bool:
    """Return whether the sentence itself says that its source has nothing to do with the event."""
    return any(_UNRELATED.search(part.lower()) is not None for part in (context.before, context.after))


def has_unit(text: str, end: int) -> bool:
    """Return whether the word directly behind a number, which ends at `end`, is or may be the number's unit.

    Units are too many to list, so every word is one that isn't a word of grammar, a name, a frame or what the
    number is of. In parentheses a word is one if it stands alone: "(UT)".
    """
    match = _DIRECTLY_BEHIND.match(text, end)
    if match is None or (match["open"] and not match["close"]):
        return False
    word = match["word"]
    if _FUNCTION_WORD.fullmatch(word) is not None or _NO_UNIT.fullmatch(word) is not None:
        return False
    return NAME.match(text, match.start("word")) is None


def is_other_place(before: str) -> bool:
    """Return whether the words before a position make it something else than that of a source."""
    folded = _MAP_OF.sub(_without_whose, _WHEN.sub(_without_whose, before.lower()))
    if _NOT_A_POSITION.search(folded[-60:]) is not None:
        return True
    if _OF_A_PROBABILITY.search(folded) is not None and not (_SOURCE.search(folded) or NAME.search(before)):
        return True
    others = [match.end() for match in _OTHER_PLACE.finditer(folded)]
    without = _WITH_A_MAP.sub(_without_whose, folded)
    others = sorted([*others, *(match.end() for match in _MAP.finditer(without))])
    if not others:
        return False
    return _SOURCE.search(folded, others[-1]) is None and NAME.search(before, others[-1]) is None


def _without_whose(match: re.Match[str]) -> str:
    """Return the match with its group `whose` as blanks, so that what stands behind keeps its place."""
    start, end = (at - match.start() for at in match.span("whose"))
    return f"{match[0][:start]}{' ' * (end - start)}{match[0][end:]}"


def is_directly_behind_name(before: str) -> bool:
    """Return whether a text ends with a name, behind which are words of grammar and numbers at the most."""
    names = list(NAME.finditer(before))
    if not names:
        return False
    words = re.findall(r"[^\W\d_]{2,}", before[names[-1].end() :])
    return all(_FUNCTION_WORD.fullmatch(word) is not None for word in words)


def name_before(before: str) -> str:
    """Return the last name before a position in its sentence, empty if there is none."""
    name = ""
    for match in NAME.finditer(before):
        name = match[0]
    return name


_IN_PARENTHESES = re.compile(r"[ ]?[(\[]?(?:J2000|ICRS)?[)\]]?[ ,]{0,2}\(([^()\n]{3,40})\)")


def name_behind(after: str) -> str:
    """Return the name in parentheses directly behind a position, empty if there is none."""
    behind = _IN_PARENTHESES.match(after)
    name = None if behind is None else NAME.fullmatch(behind[1].strip())
    return "" if name is None else name[0]


def own_part(context: Context, *, is_second: bool, is_followed: bool) -> Context:
    """Return the part of a sentence with several positions in which a redshift or distance is this one's.

    `is_second` and `is_followed` say that another position stands before or behind it in the sentence. What
    stands between two is the first one's up to the next name, else to the last end of a line; from there it
    is the second one's. Where neither parts them, it is nobody's: whose it is can't be told.
    """
    before, after = context.before, context.after
    if is_second:
        border = _border(before)
        before = "" if border is None else before[border:]
    if is_followed:
        border = _border(after)
        after = "" if border is None else after[:border]
    return Context(before, after)


def _border(between: str) -> int | None:
    own_name = _IN_PARENTHESES.match(between)
    name = NAME.search(between, 0 if own_name is None else own_name.end())
    if name is not None:
        return name.start()
    line = between.rfind("\n")
    return None if line < 0 else line


def properties_of(context: Context, own: Context) -> Properties:
    """Read a position's properties in its sentence: error radius; in its own part, redshift and distance."""
    radius, containment = _radius(context)
    redshift = _redshift(own)
    distance = _distance(own.after)
    return Properties(
        radius=radius,
        containment=containment,
        redshift=None if redshift is None else redshift[0],
        redshift_error=None if redshift is None else redshift[1],
        distance=None if distance is None else distance[0],
        distance_error=None if distance is None else distance[1],
    )


def degrees_of(value: str, unit: str) -> float:
    """Return an angle in degrees; the unit is deg, ° , arcmin, ', arcsec, " or mas in any spelling."""
    folded = unit.casefold()
    if folded.startswith("arc"):
        folded = "'" if "min" in folded else '"'
    return float(value) * _DEGREES[folded[0]]


def containment_of(percent: str) -> float | None:
    """Return a percentage as a probability; None for 0 and 100."""
    value = float(percent) / 100
    return round(value, 6) if 0.1 <= value < 1 else None


def _radius(context: Context) -> tuple[float | None, float | None]:
    before = _PLUS_MINUS_BEFORE.search(context.before[-40:])
    if before is not None:
        return degrees_of(before["value"], before["unit"]), None
    after = context.after.lower()
    for pattern in (_RADIUS, _RADIUS_FIRST):
        match = pattern.search(after)
        if match is None or match["more"] or match["what"]:
            continue
        radius = degrees_of(match["value"], match["unit"])
        if not 0 < radius < 90:
            continue
        around = after[max(0, match.start() - 40) : match.end() + 60]
        percents = {percent[1] for percent in _PERCENT.finditer(around)}
        return radius, containment_of(percents.pop()) if len(percents) == 1 else None
    return None, None


def _redshift(context: Context) -> tuple[float, float | None] | None:
    found = {}
    for match in _REDSHIFT.finditer(f"{context.before} ; {context.after}"):
        # "z = 4.5 sigma": a redshift has no unit.
        if has_unit(match.string, match.end()):
            continue
        value = float(match["z"])
        # z = 19.5 is a magnitude.
        limit = 20 if match["word"] else 5
        if 0 < value < limit and not _UNSURE.search(match["between"] or ""):
            error = match["error"]
            found[value] = (value, None if error is None else float(error))
    return next(iter(found.values())) if len(found) == 1 else None


def _distance(after: str) -> tuple[float, float | None] | None:
    if _ABOUT_THE_EVENT.search(after) is not None:
        return None
    matches = list(_DISTANCE.finditer(after))
    if len(matches) != 1:
        return None
    factor = 1000.0 if matches[0]["unit"] == "G" else 1.0
    error = matches[0]["error"]
    return float(matches[0]["value"]) * factor, None if error is None else float(error) * factor
