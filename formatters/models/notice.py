"""A notice as LVK announced it, with what was measured on its sky map.

Field names follow the notice's own schema (PyPI `igwn-gwalert-schema`), except where a name there
hides a unit or a convention. All times are aware datetimes in UTC, positions ICRS degrees, areas
deg², distances Mpc, rates Hz, probabilities 0 to 1.
"""

from __future__ import annotations

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
"""The alert types in the order in which an event's life runs through them."""

GRACEDB = "GRACEDB"
"""The type of a record that was put together from what GraceDB knows; LVK sends no such notice."""
ASSEMBLED_FROM = "assembled_from"
"""The key under which such a record names what it was made of."""

CLASSES = ("BNS", "NSBH", "BBH", "Terrestrial")
"""The classes of source to which LVK gives probabilities."""
PROPERTIES = ("HasRemnant", "HasNS", "HasMassGap", "HasSSM")
"""The properties of a source to which LVK gives probabilities, the most useful to a telescope first."""

NoticeKey = tuple[str, str, datetime, str]
"""Superevent id, alert type, time created, digest of the content (empty where it isn't known)."""

SUPEREVENT_ID = re.compile(
    r"(?P<prefix>[MT]?)(?P<kind>S|GW)(?P<date>\d{6})(?P<suffix>[a-z]+)", re.IGNORECASE | re.ASCII
)
"""GraceDB's ID_REGEX: S before naming, GW after; M a mock, T a test. ASCII alone."""
ID_MAX = 64
"""Characters of an id: more than this is none."""

_MOCK_OR_TEST = re.compile(
    r"(?P<letter>[MT])(?:[-_ .:]?(?:(?-i:[A-Z]{0,3})|S|GW)[-_ .:]?\d|(?<=M)OCK|(?<=T)EST)",
    re.IGNORECASE | re.ASCII,
)


class Category(StrEnum):
    """Whether an event is real, told from its id alone, because a retraction carries no event."""

    REAL = "real"
    MOCK = "mock"
    TEST = "test"


def canonical_id(text: str) -> str | None:
    """Return a usual superevent id as LVK writes it ("ms181101AB" -> "MS181101ab"), or None if it is none.

    Ids starting with S end in lower-case letters, named ones (GW) in capitals.
    """
    match = SUPEREVENT_ID.fullmatch(text.strip())
    if match is None or len(match[0]) > ID_MAX:
        return None
    kind = match["kind"].upper()
    suffix = match["suffix"].lower() if kind == "S" else match["suffix"].upper()
    return f"{match['prefix'].upper()}{kind}{match['date']}{suffix}"


def parse_event_id(given: object) -> str | None:
    """Return what a notice names its event by, or None if that can be no id: what gwevent's keys are.

    A usual id as LVK writes it; any other as it came, if it is printable and has at most ID_MAX characters:
    LVK's own fixtures have "S1234" and "MS181101ab2". Case counts in those, since nobody knows their rule;
    who types one needn't mind it (see `folded_id`).
    """
    if not isinstance(given, str):
        return None
    usual = canonical_id(given)
    if usual is not None:
        return usual
    # Blanks that touch, and letters written in two ways, would look the same and be two.
    name = unicodedata.normalize("NFC", given.strip())
    if not name.isprintable():
        return None
    name = " ".join(name.split())
    return name if 0 < len(name) <= ID_MAX else None


def folded_id(superevent_id: str) -> str:
    """An id as it is compared with what people type: without case, blanks as one."""
    return " ".join(superevent_id.split()).casefold()


def is_unusual_id(superevent_id: str) -> bool:
    """Whether an id isn't of LVK's form."""
    return canonical_id(superevent_id) is None


def id_as_file_name(superevent_id: str) -> str:
    """An id as a part of a file's name: letters, digits, dots and dashes, whatever it is made of."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", superevent_id).lstrip(".") or "event"


def category_from_id(superevent_id: str) -> Category:
    """Real, mock or test, from the id's first letter.

    M and T count where they stand as LVK puts them, before a short code with a digit ("MS181101ab2",
    "TGW170817", "M1234"), or begin the words "mock" and "test". Any other word that begins with them
    ("Trigger123") is real: to take a mock for real disturbs, to take a real event for a test loses it.
    """
    match = _MOCK_OR_TEST.match(superevent_id)
    if match is None:
        return Category.REAL
    return Category.MOCK if match["letter"] in "Mm" else Category.TEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """A luminosity distance in Mpc, posterior mean and standard deviation."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A connected part of the 90 % credible region."""

    ra: float
    """Right ascension of the middle of its most probable square degree, ICRS degrees."""
    dec: float
    """Declination of the same spot, ICRS degrees; the mean of a crescent would lie outside it."""
    area: float
    """deg²."""
    probability: float
    """Share of the whole map's probability, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Localization:
    """What was measured on a sky map."""

    ra: float
    """Right ascension of the centre of the tile with the highest probability density, ICRS degrees."""
    dec: float
    """Declination of the same tile, ICRS degrees."""
    area_50: float
    """50 % credible area, deg²."""
    area_90: float
    """90 % credible area, deg²."""
    regions: tuple[Region, ...]
    """The connected parts of the 90 % area, the most probable first."""
    distance: Distance | None
    """Over the whole sky (the map's DISTMEAN and DISTSTD); None where the map has none."""
    peak_distance: Distance | None
    """Along the line of sight of the peak tile; None where the map has no distances."""
    log_bci: float | None = None
    """Natural log of the Bayes factor coherent against incoherent, where the map's header has it."""
    instruments: tuple[str, ...] = ()
    """As the map's header names them ("H1", "L1"; a combined map begins with the other observatory)."""
    creator: str | None = None
    """The program that made the map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalCoincidence:
    """A coincidence with a gamma-ray burst, neutrino or other external event, found by RAVEN."""

    observatory: str
    search: str
    gcn_notice_id: str | None
    ivorn: str | None
    time_difference: float | None
    """External minus GW in seconds: positive means that the external event came later.

    Notices before 2025-01-17 carry the opposite sign; decoding turns it.
    """
    time_coincidence_far: float | None
    """Joint false-alarm rate from time alone, Hz, before trials."""
    time_sky_position_coincidence_far: float | None
    """Joint false-alarm rate from time and sky position, Hz, before trials."""
    localization: Localization | None = None
    """Of the combined sky map."""
    map_problem: str | None = None
    """Why the combined map couldn't be read, one sentence; None if it could, or if there is none."""
    overlap: float | None = None
    """Share of the combined map's probability inside the GW map's 90 % credible region."""

    @property
    def observatory_and_search(self) -> tuple[str, str]:
        """The pair that identifies a coincidence within one event, in lower case."""
        return (self.observatory.casefold(), self.search.casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class MassBins:
    """The source-frame chirp mass as a histogram (schema 1.2 and later)."""

    bin_edges: tuple[float, ...]
    """n + 1 edges, solar masses."""
    probabilities: tuple[float, ...]
    """n probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The GW candidate of a notice."""

    time: datetime
    """Arrival at the geocentre; of a compact binary, the merger's."""
    far: float | None
    """False-alarm rate in Hz, without trials factor."""
    significant: bool
    """LVK's flag; True where it can't be understood, for then nobody may miss the event."""
    instruments: tuple[str, ...]
    group: str
    """"CBC" or "Burst", or what LVK will think of next."""
    pipeline: str
    search: str
    classification: Mapping[str, float]
    """BNS, NSBH, BBH, Terrestrial -> probability; empty for Burst and SSM."""
    properties: Mapping[str, float]
    """HasNS, HasRemnant, HasMassGap, HasSSM -> probability, each given an astrophysical origin."""
    duration: float | None
    """s; None for CBC."""
    central_frequency: float | None
    """Hz; None for CBC."""
    mchirp_source: MassBins | None = None
    flag_unread: str | None = None
    """What the flag of significance says where it can't be understood; None where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One public alert, as sent at one moment."""

    superevent_id: str
    alert_type: str
    """One of STAGES (upper case, no underscore), or an unknown one as it came, in upper case."""
    time_created: datetime
    urls: Mapping[str, str]
    event: Event | None
    """None for a retraction."""
    external: ExternalCoincidence | None
    """The coincidence that says most: with a combined map that was read, else of the lowest joint FAR."""
    more_external: tuple[ExternalCoincidence, ...] = ()
    """The others of a notice that names several, in its order."""
    external_at: int = 0
    """How many of those stand before `external` in the notice."""
    localization: Localization | None = None
    """Of the GW sky map; None if there is none, or it can't be read."""
    map_problem: str | None = None
    """Why the map couldn't be read, one sentence; None if it could, or if there is none."""
    published: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The record as it was published, unknown keys too, without its maps; JSON values only."""
    received: datetime | None = field(default=None, compare=False)
    """When gwevent took it from its source."""
    archive: str | None = field(default=None, compare=False)
    """The archive it was looked up in ("GraceDB"), because it was never received; None if it was."""
    live: bool = field(default=True, compare=False)
    """Whether it was received as it was sent; not so what a file brought afterwards."""

    content: str | None = field(default=None, compare=False)
    """A digest of all it says, so that of one type and second there can be two; None of an archive's copy."""

    @property
    def key(self) -> NoticeKey:
        """What makes a notice the same notice, on whichever broker and however often it comes."""
        return (self.superevent_id, self.alert_type, self.time_created, self.content or "")

    @property
    def coincidences(self) -> tuple[ExternalCoincidence, ...]:
        """All external events that it names, the one that says most first."""
        return () if self.external is None else (self.external, *self.more_external)

    @property
    def coincidences_in_order(self) -> tuple[ExternalCoincidence, ...]:
        """The same as the notice has them."""
        if self.external is None:
            return ()
        before, after = self.more_external[: self.external_at], self.more_external[self.external_at :]
        return (*before, self.external, *after)

    @property
    def has_unreadable_coincidence(self) -> bool:
        """Whether it names a coincidence in a form that can't be understood."""
        return self.external is None and self.published.get("external_coinc") not in (None, [], "", False)

    @property
    def category(self) -> Category:
        """Real, mock or test."""
        return category_from_id(self.superevent_id)

    @property
    def is_retraction(self) -> bool:
        """Whether this notice withdraws the candidate."""
        return self.alert_type == RETRACTION

    @property
    def is_assembled(self) -> bool:
        """Whether it was put together from an archive's facts: no notice like it was ever sent."""
        return self.archive is not None and ASSEMBLED_FROM in self.published

    @property
    def significant(self) -> bool:
        """LVK's own flag, never recomputed; a retraction is as significant as what it withdraws."""
        return self.event is not None and self.event.significant

    @property
    def best_localization(self) -> Localization | None:
        """The combined map's where there is one that was read, else the GW map's."""
        if self.external is not None and self.external.localization is not None:
            return self.external.localization
        return self.localization

    def to_json(self) -> str:
        """Return the notice as JSON; `from_json` reads it back to an equal notice."""
        return _adapter().dump_json(self).decode()

    @staticmethod
    def from_json(text: str | bytes) -> Notice:
        """Read what `to_json` wrote. Raises pydantic.ValidationError on anything else."""
        return _adapter().validate_json(text)


@cache
def _adapter() -> TypeAdapter[Notice]:
    return TypeAdapter(Notice)
