"""The words, units and number formats of the filter language."""

from __future__ import annotations

import difflib
import re

from formatters.models.filter import FIELDS, Field, Op
from formatters.models.notice import ALERT_TYPES, EARLYWARNING, PRELIMINARY
from formatters.models.quantity import QUANTITIES

SWITCHES = {
    "mock": "mock",
    "mocks": "mock",
    "test": "test",
    "tests": "test",
    "lowsig": "lowsig",
    "lowsignificance": "lowsig",
    "retracted": "retracted",
    "retractions": "retracted",
    "real": "real",
    "circular": "circulars",
    "circulars": "circulars",
}
"""Switches by the words outside of a filter (`bot.filters.scope_words`)."""

GROUPS = {"cbc": "CBC", "burst": "Burst"}
DETECTORS = ("H1", "L1", "V1", "K1", "I1", "G1")
DETECTOR_NAMES = {
    "hanford": "H1",
    "lho": "H1",
    "livingston": "L1",
    "llo": "L1",
    "virgo": "V1",
    "kagra": "K1",
    "geo": "G1",
    "geo600": "G1",
}
"""Detectors by the names that people use; "LIGO" is either of its two."""
OBSERVATORIES = {
    name.casefold(): name
    for name in (
        "Fermi",
        "Swift",
        "SVOM",
        "EinsteinProbe",
        "INTEGRAL",
        "AGILE",
        "IceCube",
        "CHIME",
        "SNEWS",
    )
}
"""Observatories of coincidences that stand for themselves; any other by observatory=NAME."""
PIPELINES = {"gstlal", "sgnl", "mbta", "pycbc", "spiir", "aframe", "cwb", "mly", "olib"}
"""Pipelines that stand for themselves; any other by pipeline=NAME."""
SEARCHES = {name.casefold(): name for name in ("AllSky", "EarlyWarning", "BBH", "SSM", "MDC", "IMBH", "GRB")}
TYPES = {stage.casefold(): stage for stage in ALERT_TYPES} | {"ew": EARLYWARNING, "prelim": PRELIMINARY}
QUANTITY_NAMES = {name.casefold(): name for name in QUANTITIES} | {
    "massgap": "HasMassGap",
    "ssm": "HasSSM",
    "area": "area90",
    "dist": "distance",
    "redshift": "z",
    "chirpmass": "mchirp",
    "nsns": "BNS",
    "bhns": "NSBH",
    "detectors": "instruments",
}
MEANT = {
    **dict.fromkeys(("grb", "grbs", "gammaray", "gammarays"), '"external", or an observatory: Fermi, Swift'),
    **dict.fromkeys(("neutrino", "neutrinos"), '"IceCube"'),
    "ifar": '"far<1/100yr"',
    **dict.fromkeys(("mass", "masses", "m1", "m2"), '"mchirp<2" (source frame)'),
    **dict.fromkeys(("d", "dl", "dist90"), '"distance<300"'),
    **dict.fromkeys(("insignificant", "subthreshold"), '"lowsig", or "only lowsig"'),
    **dict.fromkeys(("everything", "anything"), '"all"'),
    **dict.fromkeys(("unless", "except", "but", "no"), '"not", as in "not BBH"'),
    **dict.fromkeys(("when", "where", "if", "with"), '"and", as in "BNS and far<1/yr"'),
    **dict.fromkeys(("silent", "silently", "quietly", "muted"), '"quiet", as in "quiet BBH"'),
    "sq": "the number alone, in deg², like area90<500",
}
"""Words that are no conditions, and what people mean by them; any other is answered with a similar one."""
ASTROPHYSICAL = {"pastro", "astrophysical"}
"""Names that people use for 1 − Terrestrial."""
MIRRORED = {Op.LT: Op.GT, Op.LE: Op.GE, Op.GT: Op.LT, Op.GE: Op.LE, Op.EQ: Op.EQ}
"""The operators of a value by those of 1 minus the value."""
EXTERNAL = {"external", "coincidence", "raven"}
SIGNIFICANT = {"significant", "highsig", "highsignificance"}
OPS = {op.value: op for op in Op} | {"==": Op.EQ, "≤": Op.LE, "≥": Op.GE}

FLOAT = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:e[+-]?\d{1,3})?"
VALUE = re.compile(rf"(?P<value>{FLOAT})\s*(?P<unit>[a-z%°²′'\"☉⊙_]+2?)?")
UNITS = {
    "probability": {"": 1.0, "%": 0.01, "percent": 0.01},
    "deg²": {"": 1.0, "deg2": 1.0, "deg²": 1.0, "sqdeg": 1.0},
    "Mpc": {"": 1.0, "mpc": 1.0, "kpc": 1e-3, "gpc": 1e3},
    "redshift": {"": 1.0},
    "Msun": dict.fromkeys(("", "msun", "m_sun", "m☉", "m⊙", "m_☉", "m_⊙"), 1.0),
    "": {"": 1.0},
}
MAX_REDSHIFT = 1_000.0
ANGLES = {
    **dict.fromkeys(("deg", "d", "°", "degree", "degrees"), 1.0),
    **dict.fromkeys(("arcmin", "'", "′"), 1 / 60),
    **dict.fromkeys(("arcsec", '"'), 1 / 3600),
}
RATE_UNITS = {
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("d", "day"), "day"),
    **dict.fromkeys(("week", "wk"), "week"),
    **dict.fromkeys(("month", "mo"), "month"),
    **dict.fromkeys(("yr", "year", "y"), "yr"),
}
RATE_SPANS = {
    **dict.fromkeys(("decade",), 10.0),
    **dict.fromkeys(("century", "centurie"), 100.0),
    **dict.fromkeys(("millennium", "millennia", "kyr"), 1_000.0),
}
"""Longer spans of time in years; they are written as years."""
FAR = re.compile(
    rf"(?P<count>{FLOAT})\s*(?:(?:/|per)\s*(?P<per>{FLOAT})?\s*(?P<unit>[a-z]+?)s?|hz)?", re.IGNORECASE
)
VOCABULARY = sorted(
    {
        *QUANTITY_NAMES,
        *EXTERNAL,
        *SIGNIFICANT,
        *TYPES,
        *GROUPS,
        *FIELDS,
        "far",
        "near",
        "visible",
        "within",
        "grade",
        "criteria",
        *SWITCHES.values(),
    }
    | {name.casefold() for name in DETECTORS}
)


def is_filter_word(word: str) -> bool:
    """Return whether a word, in lower case, says something in a filter: "mock", "fermi", "bns"."""
    return word in VOCABULARY or word in SWITCHES or word in OBSERVATORIES or word in PIPELINES


CANONICAL_SPELLINGS = {
    name.casefold(): name
    for name in (*QUANTITIES, *DETECTORS, *ALERT_TYPES, *GROUPS.values(), *OBSERVATORIES.values())
}


def find_similar_word(word: str) -> str | None:
    """Return the word of the language that a case-folded one is like, as LVK spells it; None for none."""
    near = difflib.get_close_matches(word[:40], [*VOCABULARY, "quiet"], n=1, cutoff=0.65)
    return CANONICAL_SPELLINGS.get(near[0], near[0]) if near else None


NUMBER_EXAMPLES = {
    "probability": "BNS>0.5",
    "deg²": "area90<500",
    "Mpc": "distance<300",
    "redshift": "z<0.1",
    "Msun": "mchirp<2",
    "": "instruments>=2",
}
NAME_EXAMPLES: dict[Field, str] = {
    "group": "group=CBC",
    "search": "search=SSM",
    "pipeline": "pipeline=gstlal",
    "type": "type=INITIAL|UPDATE",
    "observatory": "observatory=Fermi",
}
