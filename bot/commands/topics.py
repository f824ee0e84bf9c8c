"""What a sentence asks about an event, or about gwevent, by the words in it. Pure."""

from __future__ import annotations

import re
from enum import StrEnum


class Topic(StrEnum):
    """What a sentence asks about an event, or about gwevent, where no command's word says it."""

    CARD = "card"
    DISTANCE = "distance"
    FAR = "far"
    AREA = "area"
    LINKS = "links"
    STATE = "state"
    NEWS = "news"
    CLASS = "class"
    COINCIDENCE = "coincidence"
    TIME = "time"
    DETECTORS = "detectors"
    PEOPLE = "people"
    TAKING = "taking"
    COMPARE = "compare"
    GREETING = "greeting"
    THANKS = "thanks"
    RUNS = "runs"


ABOUT_NO_EVENT = frozenset({Topic.GREETING, Topic.THANKS, Topic.RUNS})
"""Topics that need no event."""


def words_pattern(*alternatives: str) -> re.Pattern[str]:
    """Return a pattern of whole words; alternatives with "|" are phrases, others are lists with blanks."""
    parts = [part if "|" in part else "|".join(part.split()) for part in alternatives]
    return re.compile(rf"\b(?:{'|'.join(parts)})\b")


_ABOUT_EVENT: tuple[tuple[Topic, re.Pattern[str]], ...] = (
    (
        Topic.COINCIDENCE,
        words_pattern(
            "grbs? coincidences? coincident external raven neutrinos? fermi gbm swift bat icecube"
            " gamma-?rays? joint"
        ),
    ),
    (
        Topic.DISTANCE,
        words_pattern(
            "how far|how distant|far away|luminosity distance", "distances? dist mpc gpc redshifts?"
        ),
    ),
    (Topic.FAR, words_pattern("false[- ]alarms?", "fars? ifar confidence confident")),
    (
        Topic.AREA,
        words_pattern(
            "how (?:big|large|wide|well)|sq ?deg|square degrees?|credible regions?",
            "areas? deg2 locali[sz]ation locali[sz]ed where peak regions? position coordinates? ra dec",
        ),
    ),
    (
        Topic.STATE,
        words_pattern(
            "retracted retraction retract alive still dead valid real significant significance"
            " confirmed vetted"
            " status state"
            " gone noise glitch"
        ),
    ),
    (
        Topic.NEWS,
        words_pattern(
            "updates? updated changed? changes news new newest latest last history notices evolution"
            " evolved since"
        ),
    ),
    (
        Topic.LINKS,
        words_pattern(
            "treasure ?map|skymap viewer|map file|fits file",
            "urls? links? gracedb pages? website web circulars? gcns? address fits download files?",
        ),
    ),
    (
        Topic.CLASS,
        words_pattern(
            "neutron stars?|black holes?|em[ _]?bright|p[ _]?astro|prob(?:ability)? of|em counterpart",
            "kilonova light matter probability probabilities class classification type kind bns nsbh"
            " bbh terrestrial mass(?:es)? massgap chirp hasns"
            " hasremnant remnant"
            " pastro properties",
        ),
    ),
    (Topic.TIME, words_pattern("(?:merger|trigger) time", "when time gps date utc t0 ago old")),
    (Topic.DETECTORS, words_pattern("detectors? instruments? ifos? interferometers? pipelines? search")),
)
"""What a sentence about an event asks, by its words; the first that fits."""


def topic_of(plain: str) -> Topic | None:
    """Return what a sentence in small letters asks about an event; None if its words don't say."""
    return next((topic for topic, pattern in _ABOUT_EVENT if pattern.search(plain)), None)


def asks_about(plain: str, topic: Topic) -> bool:
    """Return whether a sentence in small letters has a word that asks for a topic, beside others maybe."""
    return _pattern(topic).search(plain) is not None


def words_besides(plain: str, topic: Topic) -> str:
    """Return a sentence in small letters without the words that ask for a topic."""
    return _pattern(topic).sub(" ", plain)


def _pattern(topic: Topic) -> re.Pattern[str]:
    return next(pattern for known, pattern in _ABOUT_EVENT if known is topic)
