"""A message that names a superevent: a GCN Circular, a neutrino search, a follow-up by Swift, candidates.

Messages of all streams share one type, so that storing, routing and showing them needs no case for each. What
only one stream has stands in `details`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from formatters.models.circular import URL_TEMPLATE


class Stream(StrEnum):
    """A stream of messages beside LVK's notices. The values are words of `subscribe`, and are stored."""

    CIRCULARS = "circulars"
    """GCN Circulars, written by people."""
    ICECUBE = "icecube"
    """IceCube's searches for neutrinos around LVK's events."""
    GUANO = "guano"
    """Swift BAT's searches in data that GUANO saved around LVK's events."""
    NEARBY = "nearby"
    """Gamma-ray bursts and neutrinos that name no event but lie near one in time and on the sky."""
    BOOM = "boom"
    """Optical transients that BOOM found in a sky map; they feed the counterpart candidates only."""
    HERMES = "hermes"
    """Messages of HERMES about an event; their targets feed the counterpart candidates only."""


THREAD_STREAMS = (Stream.CIRCULARS, Stream.ICECUBE, Stream.GUANO, Stream.NEARBY)
"""The streams that a subscription may choose, in the order of its canonical text."""
CANDIDATE_STREAMS = (Stream.BOOM, Stream.HERMES)
"""The streams that nobody subscribes to: they fill the table of counterpart candidates."""


class MessageKind(StrEnum):
    """A kind of message, in the words that the Follow-up reply shows. The values are stored."""

    IDENTIFICATION = "identification"
    UPDATE = "update"
    RETRACTION = "retraction"
    CANDIDATES = "candidates"
    NEUTRINO_SEARCH = "neutrino search"
    DETECTION = "detection"
    UPPER_LIMITS = "upper limits"
    CORRECTION = "correction"
    REPORT = "report"
    """Everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedPosition:
    """A position that a message reports."""

    ra: float
    """Right ascension, ICRS degrees, 0 ≤ ra < 360."""
    dec: float
    """Declination, ICRS degrees, −90 to 90."""
    name: str = ""
    """Name in the message ("AT2017gfo", "ZTF23abidzvf"), not escaped; empty if none was found."""
    radius: float | None = None
    """Radius of the error circle, degrees; None if none is given."""
    containment: float | None = None
    """Probability (0 to 1) that the source lies in the circle; None if it isn't said."""
    redshift: float | None = None
    redshift_error: float | None = None
    distance: float | None = None
    """Luminosity distance of the source or its host, Mpc, if the message gives one itself."""
    distance_error: float | None = None
    """1 sd, Mpc."""
    time: datetime | None = None
    """Time of the neutrino, burst or first detection, UTC."""
    magnitude: str = ""
    """Brightness as the message gives it ("g = 20.1"), not escaped; empty if none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoincidentNeutrino:
    """A neutrino of a search, and how well it agrees with the event."""

    position: ReportedPosition
    offset_s: float | None
    """Time after the merger, s; negative before it."""
    p_generic: float | None
    p_bayesian: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeutrinoSearch:
    """The result of IceCube's search around an event."""

    p_generic: float | None
    """p-value of the generic transient search; None if it wasn't done."""
    p_bayesian: float | None
    """p-value of the Bayesian search; None if it wasn't done."""
    coincident: int | None
    """The number of coincident neutrinos that the message states; None if it states none."""
    neutrinos: tuple[CoincidentNeutrino, ...] = ()
    searched_notice: str = ""
    """The notice whose map was searched ("S230914ak-2-Preliminary"); empty if it isn't said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaRayFollowUp:
    """The result of Swift BAT's search in data that GUANO saved."""

    is_detection: bool
    far_hz: float | None
    """False-alarm rate of the detection, Hz."""
    snr: float | None
    region_fits: bytes | None = None
    """HEALPix map of the position as a FITS file; None if the message has none inside it."""


Details = NeutrinoSearch | GammaRayFollowUp


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedMessage:
    """A message that names superevents."""

    stream: Stream
    key: str
    """The key that a message and its updates share within the stream: a circular's number, a trigger's id. A
    newer message with the same key takes the place of an older one."""
    created: datetime
    """When the sender wrote this version, UTC."""
    first_created: datetime | None = None
    """When the first version was written, UTC, if this one is an edit of it that says so (circulars)."""
    superevent_ids: tuple[str, ...]
    """Canonical ids of LVK's superevents that it names, each once; may be empty."""
    kind: MessageKind
    subject: str
    """One line, as the sender wrote it or made from the message's fields; not escaped."""
    author: str = ""
    """Name and institution without a mail address; not escaped, may be empty."""
    number: int | None = None
    """GCN's number of a circular; None for other streams."""
    is_retracted: bool = False
    """True if the sender withdrew the message (an update with `alert_type` retraction)."""
    retracts_event: bool = False
    """True for LVK's own circular with the subject "LIGO/Virgo/KAGRA <id>: Retraction of GW …"."""
    positions: tuple[ReportedPosition, ...] = ()
    details: Details | None = None

    @property
    def sent(self) -> datetime:
        """The time when the first version was written, as far as known; an edit sends nothing again."""
        return self.created if self.first_created is None else self.first_created

    @property
    def url(self) -> str | None:
        """Address of a circular's page at GCN; None for other streams: no address in a message is used."""
        return None if self.number is None else URL_TEMPLATE.format(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A related message about one superevent, as the store returns it."""

    id: int
    """The store's id; larger for messages that were received later."""
    superevent_id: str
    message: RelatedMessage
    received: datetime
