"""A public alert (notice) of LVK, with the facts measured on its sky map.

Field names follow the notice's own schema (PyPI `igwn-gwalert-schema`), except where a schema name hides a
unit or a convention. All times are aware datetimes in UTC; positions are ICRS degrees, areas deg², distances
Mpc, rates Hz, and probabilities 0 to 1.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import TypeAdapter

EARLYWARNING = "EARLYWARNING"
PRELIMINARY = "PRELIMINARY"
INITIAL = "INITIAL"
UPDATE = "UPDATE"
RETRACTION = "RETRACTION"

ALERT_TYPES = (EARLYWARNING, PRELIMINARY, INITIAL, UPDATE, RETRACTION)
"""LVK's alert types, in the order in which they are sent for an event."""

GRACEDB = "GRACEDB"
"""Alert type of a record assembled from GraceDB's data; LVK never sends it."""
ASSEMBLED_FROM = "assembled_from"
"""Key of an assembled record that lists its sources."""

CLASSES = ("BNS", "NSBH", "BBH", "Terrestrial")
"""The source classes to which LVK assigns probabilities."""
PROPERTIES = ("HasRemnant", "HasNS", "HasMassGap", "HasSSM")
"""The source properties to which LVK assigns probabilities, the most useful for follow-up first."""

NoticeKey = tuple[str, str, datetime, str]
"""Superevent id, alert type, time created, and digest of the content (empty if it is unknown)."""

SUPEREVENT_ID = re.compile(
    r"(?P<prefix>[MT]?)(?P<kind>S|GW)(?P<date>\d{6})(?P<suffix>[a-z]+)", re.IGNORECASE | re.ASCII
)
"""GraceDB's ID_REGEX, ASCII only: S is a candidate, GW a named event; prefix M is a mock, T a test."""
ID_MAX = 64
"""Maximum length of an event id in characters; longer texts are rejected."""

SKY_AREA = 129_600 / math.pi
"""Area of the whole sky, deg²."""
_UNIFORM = 0.998
"""A region's part of the area that it would have in a uniform map, above which the map counts as one."""

_MOCK_OR_TEST = re.compile(
    r"(?P<letter>[MT])(?:[-_ .:]?(?:(?-i:[A-Z]{0,3})|S|GW)[-_ .:]?\d|(?<=M)OCK|(?<=T)EST)",
    re.IGNORECASE | re.ASCII,
)


class Category(StrEnum):
    """The category of an event, derived from its id alone because a retraction carries no event."""

    REAL = "real"
    MOCK = "mock"
    TEST = "test"


def canonical_id(text: str) -> str | None:
    """Return an id in LVK's usual form ("ms181101AB" -> "MS181101ab"), or None for any other text.

    The letters at the end are in lower case after S, and in upper case after GW.
    """
    match = SUPEREVENT_ID.fullmatch(text.strip())
    if match is None or len(match[0]) > ID_MAX:
        return None
    kind = match["kind"].upper()
    suffix = match["suffix"].lower() if kind == "S" else match["suffix"].upper()
    return f"{match['prefix'].upper()}{kind}{match['date']}{suffix}"


def parse_event_id(given: object) -> str | None:
    """Return the event id that gwevent uses for the id given in a notice, or None if it is invalid.

    An id in LVK's usual form becomes canonical. Any other text is accepted if it is printable and at most
    ID_MAX characters long, because LVK's own fixtures contain "S1234" and "MS181101ab2". It keeps its case,
    since its rules are unknown; for case-insensitive comparison see `folded_id`.
    """
    if not isinstance(given, str):
        return None
    usual = canonical_id(given)
    if usual is not None:
        return usual
    # Normalise Unicode and white space, so that ids that look the same are equal.
    name = unicodedata.normalize("NFC", given.strip())
    if not name.isprintable():
        return None
    name = " ".join(name.split())
    return name if 0 < len(name) <= ID_MAX else None


def folded_id(superevent_id: str) -> str:
    """Return an event id for comparison with typed text: case-folded, with white space collapsed."""
    return " ".join(superevent_id.split()).casefold()


def is_unusual_id(superevent_id: str) -> bool:
    """Return True if an event id is not in LVK's usual form."""
    return canonical_id(superevent_id) is None


def id_as_file_name(superevent_id: str) -> str:
    """Return an event id as a safe part of a file name: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", superevent_id).lstrip(".") or "event"


def category_from_id(superevent_id: str) -> Category:
    """Return the category that follows from an event id.

    The letters M and T count only in LVK's positions: before a short code with a digit ("MS181101ab2",
    "TGW170817", "M1234") or in the words "mock" and "test". Any other id ("Trigger123") is real: a mock taken
    for a real event is a nuisance, but a real event taken for a test is lost.
    """
    match = _MOCK_OR_TEST.match(superevent_id)
    if match is None:
        return Category.REAL
    return Category.MOCK if match["letter"] in "Mm" else Category.TEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """A luminosity distance in Mpc: posterior mean and standard deviation."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A connected part of the 90 % credible region."""

    ra: float
    """Right ascension of the middle of its most probable square degree, ICRS degrees."""
    dec: float
    """Declination of the same point, ICRS degrees; a mean position could lie outside a crescent."""
    area: float
    """Area, deg²."""
    probability: float
    """Part of the whole map's probability, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The place of a sky map with respect to the Sun and the Galactic plane."""

    time: datetime
    """Time for which the Sun's position was computed, UTC: that of the notice."""
    sun_separation: float
    """Angle between the map's peak and the Sun, degrees."""
    probability_near_sun: float
    """Probability (0 to 1) within 45° of the Sun."""
    probability_near_galactic_plane: float
    """Probability (0 to 1) within 10° of the Galactic plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Localization:
    """The facts measured on a sky map."""

    ra: float
    """Right ascension of the centre of the tile with the highest probability density, ICRS degrees."""
    dec: float
    """Declination of the centre of the same tile, ICRS degrees."""
    area_50: float
    """50 % credible area, deg²."""
    area_90: float
    """90 % credible area, deg²."""
    regions: tuple[Region, ...]
    """Connected parts of the 90 % credible region, the most probable first."""
    pieces_50: int | None = field(default=None, compare=False)
    """Number of connected parts of the 50 % credible region; None in notices stored by older versions.

    Not compared, so that a map measured by an older version is still the same map.
    """
    distance: Distance | None
    """Distance over the whole sky (the map's DISTMEAN and DISTSTD), or over `distance_share` of the map; None
    if the map has none.
    """
    peak_distance: Distance | None
    """Distance along the line of sight of the peak tile; None if the map has no distances."""
    log_bci: float | None = None
    """Natural logarithm of the coherent/incoherent Bayes factor; None if the map's header has none."""
    instruments: tuple[str, ...] = ()
    """Names in the map's header ("H1", "L1"); a combined map lists the external observatory first."""
    creator: str | None = None
    """Program that made the map."""
    surroundings: Surroundings | None = field(default=None, compare=False)
    """Sun and Galactic plane; None where they weren't measured, as in notices stored by older versions.

    Not compared: the same map in a later notice is still the same map, though the Sun has moved.
    """
    distance_share: float | None = None
    """Probability (0 to 1) of the part of the map that has a distance, if `distance` was averaged over that
    part because the map's header has none; else None.
    """
    unread_tiles: int = 0
    """Number of tiles left out because their probability density is no number ≥ 0."""

    @property
    def is_uniform(self) -> bool:
        """True if the map says nothing about where: its credible regions have that share of the sky."""
        return self.area_50 > _UNIFORM * 0.5 * SKY_AREA and self.area_90 > _UNIFORM * 0.9 * SKY_AREA


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalCoincidence:
    """A coincidence with a gamma-ray burst, neutrino or other external event, found by RAVEN."""

    observatory: str
    search: str
    gcn_notice_id: str | None
    ivorn: str | None
    time_difference: float | None
    """External minus GW in seconds: positive if the external event came later.

    Notices before 2025-01-17 have the opposite sign, which decoding corrects.
    """
    time_coincidence_far: float | None
    """Joint false-alarm rate from time alone, Hz, before trials."""
    time_sky_position_coincidence_far: float | None
    """Joint false-alarm rate from time and sky position, Hz, before trials."""
    localization: Localization | None = None
    """Facts of the combined sky map; None if there is none or it could not be read."""
    map_problem: str | None = None
    """Reason why the combined map could not be read, one sentence; None if it could or there is none."""
    overlap: float | None = None
    """Probability (0 to 1) of the combined map inside the GW map's 90 % credible region."""
    peak_level: float | None = None
    """Credible level (0 to 1) of the GW map at the combined map's peak; None if either map is missing."""

    @property
    def observatory_and_search(self) -> tuple[str, str]:
        """The pair that identifies a coincidence within one event, case-folded."""
        return (self.observatory.casefold(), self.search.casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class MassBins:
    """The chirp mass as a histogram (schema 1.2 and later); for its frame see `chirp_mass.mass_frame`."""

    bin_edges: tuple[float, ...]
    """Edges of the n bins, n + 1 values in solar masses."""
    probabilities: tuple[float, ...]
    """Probabilities of the n bins, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The GW candidate of a notice."""

    time: datetime
    """Arrival time at the geocentre; for a compact binary, that of the merger."""
    far: float | None
    """False-alarm rate in Hz, without a trials factor."""
    significant: bool
    """LVK's flag; True if it cannot be interpreted, so that no event is missed."""
    instruments: tuple[str, ...]
    group: str
    """"CBC", "Burst", or a group that LVK adds later."""
    pipeline: str
    search: str
    classification: Mapping[str, float]
    """Probability of each class: BNS, NSBH, BBH, Terrestrial; empty for Burst and SSM."""
    properties: Mapping[str, float]
    """Probability of each property (HasNS, HasRemnant, …), given an astrophysical origin."""
    duration: float | None
    """Duration of a burst in seconds; None for CBC."""
    central_frequency: float | None
    """Central frequency of a burst in Hz; None for CBC."""
    mchirp_source: MassBins | None = None
    flag_unread: str | None = None
    """Raw value of a significance flag that cannot be interpreted; None if it can."""
    unread: tuple[str, ...] = ()
    """Names of fields whose value can't be read: "classification.BNS", "properties" (all of it), "far"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A public alert as published at one moment."""

    superevent_id: str
    alert_type: str
    """One of ALERT_TYPES (upper case, no underscore), or an unknown type in upper case."""
    time_created: datetime
    urls: Mapping[str, str]
    event: Event | None
    """The candidate; None for a retraction."""
    external: ExternalCoincidence | None
    """The main coincidence: the one with a readable combined map, else the one with the lowest joint FAR."""
    more_external: tuple[ExternalCoincidence, ...] = ()
    """Further coincidences of the notice, in its order."""
    external_at: int = 0
    """Number of further coincidences that come before `external` in the notice."""
    localization: Localization | None = None
    """Facts of the GW sky map; None if there is none or it could not be read."""
    map_problem: str | None = None
    """Reason why the map could not be read, one sentence; None if it could or there is none."""
    published: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The published record, including unknown keys, without its maps; JSON values only."""
    received: datetime | None = field(default=None, compare=False)
    """Time at which gwevent received the notice from its source."""
    archive: str | None = field(default=None, compare=False)
    """Archive ("GraceDB") from which the notice was fetched; None if it was received."""
    live: bool = field(default=True, compare=False)
    """True if it was received when it was sent; False if it was loaded later (file, quarantine, archive)."""

    content: str | None = field(default=None, compare=False)
    """Digest of the content, which separates notices of one type and second; None for an archive's copy."""

    @property
    def key(self) -> NoticeKey:
        """The identity of a notice, independent of broker and of repeated receipt."""
        return (self.superevent_id, self.alert_type, self.time_created, self.content or "")

    @property
    def coincidences(self) -> tuple[ExternalCoincidence, ...]:
        """All coincidences that the notice names, the main one first."""
        return () if self.external is None else (self.external, *self.more_external)

    @property
    def coincidences_in_order(self) -> tuple[ExternalCoincidence, ...]:
        """All coincidences that the notice names, in the notice's order."""
        if self.external is None:
            return ()
        before, after = self.more_external[: self.external_at], self.more_external[self.external_at :]
        return (*before, self.external, *after)

    @property
    def has_unreadable_coincidence(self) -> bool:
        """True if the notice names a coincidence in a form that gwevent cannot interpret."""
        return self.external is None and self.published.get("external_coinc") not in (None, [], "", False)

    @property
    def category(self) -> Category:
        """The category (real, mock or test) that follows from the superevent id."""
        return category_from_id(self.superevent_id)

    @property
    def is_retraction(self) -> bool:
        """True if the notice withdraws the candidate."""
        return self.alert_type == RETRACTION

    @property
    def is_assembled(self) -> bool:
        """True if the notice was assembled from an archive's data and never sent in this form."""
        return self.archive is not None and ASSEMBLED_FROM in self.published

    @property
    def significant(self) -> bool:
        """LVK's own flag, never recomputed; False for a notice without an event."""
        return self.event is not None and self.event.significant

    @property
    def best_localization(self) -> Localization | None:
        """The combined map's localization if it could be read, else the GW map's."""
        if self.external is not None and self.external.localization is not None:
            return self.external.localization
        return self.localization

    def to_json(self) -> str:
        """Return the notice as JSON; `from_json` restores an equal notice."""
        return _adapter().dump_json(self).decode()

    @staticmethod
    def from_json(text: str | bytes) -> Notice:
        """Parse the output of `to_json`. Raises pydantic.ValidationError for any other text."""
        return _adapter().validate_json(text)


@cache
def _adapter() -> TypeAdapter[Notice]:
    return TypeAdapter(Notice)
