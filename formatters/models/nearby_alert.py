"""Alerts of gamma-ray bursts and neutrinos that name no superevent, and how they lie to one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.models.related_message import ReportedPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class NearbyAlert:
    """A trigger of another observatory: a burst or a neutrino, in its newest state."""

    stream: str
    """Key of the kind of alert in `bot.related_messages.nearby_rates`: "fermi-gbm", "svom-eclairs" …"""
    label: str
    """"Fermi GBM", "SVOM ECLAIRs", "IceCube Bronze track"; not escaped."""
    key: str
    """The trigger's id, shared by its updates."""
    ids: tuple[str, ...] = ()
    """Every id that the sender gives it, `key` among them: ("745121685", "bn240812094")."""
    name: str
    """Name for people: "bn240812094", "IceCube-230416A"; not escaped."""
    trigger_time: datetime
    created: datetime
    """When this version was sent, UTC."""
    revision: int = 0
    """The sender's number of this version; decides between versions of the same second."""
    position: ReportedPosition | None = None
    """Position with the radius as sent, statistical unless `systematic_included`."""
    systematic_included: bool = False
    position_kind: str = ""
    """How the position was found, in the sender's words ("FINAL_POSITION"); not escaped, empty if unsaid."""
    region_fits: bytes | None = None
    """HEALPix map inside the message as a FITS file; None if there is none."""
    is_retracted: bool = False
    classification: str = ""
    """The class that the sender gives the most probability, as it writes it ("GRB", "SFLARE"); not escaped,
    empty if it gives none."""
    duration_class: str = ""
    """"SHORT" or "LONG" where the sender takes the trigger for a burst of that kind; not escaped."""
    is_burst: bool = True
    """False if the sender classifies the trigger as something else than a burst or an astrophysical neutrino
    (a particle event, a solar flare, "BELOW_HORIZON")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearbyCoincidence:
    """An alert within the time window of an event that overlaps its 99 % credible region."""

    alert: NearbyAlert
    offset_s: float
    """Time after the merger, s; negative before it."""
    overlap: float
    """Probability (0 to 1) of the event's map inside the alert's 90 % region, systematic error included."""
    expected_by_chance: float
    """Number of alerts of this stream and of this one's size that are expected by chance, isotropic and
    unrelated, in the window and overlapping the event's 99 % region at all."""
    window_s: tuple[float, float]
    """The window that was searched: seconds before and after the merger, both ≥ 0."""
