"""The attributes of a superevent that filters use: small enough to read thousands of them for a search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from formatters.models import significance
from formatters.models.chirp_mass import MassFrame, is_histogram, mass_bins, mass_frame
from formatters.models.notice import (
    CLASSES,
    PROPERTIES,
    Category,
    Event,
    MassBins,
    Notice,
    NoticeKey,
    category_from_id,
)
from formatters.models.superevent import Superevent
from formatters.text import coincidence_lines

OBSERVATORIES_KEY = "observatories"
"""Key of the JSON by which a version that reads observatories and chirp masses shows that it wrote it."""
MASS_BINS_KEY = "mass_bins"
"""Key of the JSON by which a version that keeps the bins of the chirp mass shows that it wrote it."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAttributes:
    """The facts that filters are evaluated on, from the newest notice with an event."""

    superevent_id: str
    alert_type: str
    """The type of the newest notice that carries an event."""
    time_created: datetime
    content: str = ""
    """The last part of that notice's key."""
    event_time: datetime
    significant: bool
    retracted: bool
    """True if a later notice retracted it."""
    fields: Mapping[str, str]
    """Values of group, search, pipeline and type, case-folded."""
    quantities: Mapping[str, float]
    """Numbers by the names and in the units of `formatters.models.quantity.QUANTITIES`."""
    far: float | None
    """False-alarm rate in Hz; the joint one if only a coincidence makes the event significant."""
    far_is_joint: bool
    """True if `far` is the joint false-alarm rate."""
    detectors: tuple[str, ...]
    """Names in upper case, such as "H1"; empty if they are not given."""
    external: bool | None
    """True if there is a coincidence; None if one is given in a form that cannot be decoded."""
    has_map: bool
    """True if the notice has a sky map."""
    observatories: tuple[str, ...] = ()
    """Observatories of the coincidences, case-folded; empty if there is none, or if it isn't known."""
    mass_bins: MassBins | None = None
    """The chirp mass in the source frame, from the first to the last bin that has a probability.

    None if the notice states none, or only one in the detector's frame.
    """

    @property
    def category(self) -> Category:
        """Real, mock or test."""
        return category_from_id(self.superevent_id)

    @property
    def notice_key(self) -> NoticeKey:
        """The key of the notice that the attributes are from."""
        return (self.superevent_id, self.alert_type, self.time_created, self.content)

    def to_json(self) -> str:
        """Return JSON that `from_json` reads."""
        bins = self.mass_bins
        return _encode(
            {
                "type": self.alert_type,
                "created": self.time_created.isoformat(),
                "content": self.content,
                "time": self.event_time.isoformat(),
                "significant": self.significant,
                "retracted": self.retracted,
                "named": dict(self.fields),
                "numbers": dict(self.quantities),
                "far": self.far,
                "joint": self.far_is_joint,
                "detectors": self.detectors,
                "external": self.external,
                "map": self.has_map,
                OBSERVATORIES_KEY: self.observatories,
                MASS_BINS_KEY: bins and [bins.bin_edges, bins.probabilities],
            }
        )

    @staticmethod
    def from_json(superevent_id: str, text: str) -> EventAttributes:
        """Return the attributes that `to_json` wrote."""
        return EventAttributes.from_values(superevent_id, json.loads(text))

    @staticmethod
    def from_values(superevent_id: str, values: dict[str, Any]) -> EventAttributes:
        """Return the attributes that `to_json` wrote, from its decoded text."""
        return EventAttributes(
            superevent_id=superevent_id,
            alert_type=values["type"],
            time_created=datetime.fromisoformat(values["created"]),
            # An older version of gwevent stored no content.
            content=values.get("content", ""),
            event_time=datetime.fromisoformat(values["time"]),
            significant=values["significant"],
            retracted=values["retracted"],
            fields=values["named"],
            quantities=values["numbers"],
            far=values["far"],
            far_is_joint=values["joint"],
            detectors=tuple(values["detectors"]),
            external=values["external"],
            has_map=values["map"],
            # An older version stored none; `EventSearch.refresh_stale_attributes` adds them.
            observatories=tuple(values.get(OBSERVATORIES_KEY, ())),
            mass_bins=_bins_from_json(values.get(MASS_BINS_KEY)),
        )


def _bins_from_json(value: list[list[float]] | None) -> MassBins | None:
    if value is None:
        return None
    edges, probabilities = value
    return MassBins(bin_edges=tuple(edges), probabilities=tuple(probabilities))


def extract_attributes(superevent: Superevent) -> EventAttributes | None:
    """Return the attributes of a superevent; None if only a retraction is known of it."""
    notice = superevent.latest_with_event
    if notice is None or notice.event is None:
        return None
    event = notice.event
    far, joint = _effective_far(notice, event)
    bins = _source_frame_bins(event, notice.alert_type)
    names = {
        "group": event.group,
        "search": event.search,
        "pipeline": event.pipeline,
        "type": notice.alert_type,
    }
    return EventAttributes(
        superevent_id=superevent.superevent_id,
        alert_type=notice.alert_type,
        time_created=notice.time_created,
        content=notice.content or "",
        event_time=event.time,
        significant=event.significant,
        retracted=superevent.is_retracted,
        fields={field: name.casefold() for field, name in names.items() if name},
        quantities=_extract_quantities(notice, event, bins),
        far=far,
        far_is_joint=joint,
        detectors=tuple(name.upper() for name in event.instruments),
        external=None if notice.has_unreadable_coincidence else notice.external is not None,
        has_map=notice.best_localization is not None,
        observatories=tuple(sorted({c.observatory.casefold() for c in notice.coincidences if c.observatory})),
        mass_bins=None if bins is None else _without_empty_ends(bins),
    )


def _effective_far(notice: Notice, event: Event) -> tuple[float | None, bool]:
    """Return the false-alarm rate that makes the event significant, and True if it is the joint one."""
    external = notice.external
    only_joint = external is not None and event.significant and event.far is None
    if external is None or not (only_joint or significance.is_significant_only_by_coincidence(notice)):
        return event.far, False
    return coincidence_lines.lowest_joint_far(notice), True


def _source_frame_bins(event: Event, alert_type: str) -> MassBins | None:
    """Return the chirp mass's histogram; None if there is none, or none of the source frame.

    A mass in the detector frame is larger than the source's by an unknown factor.
    """
    bins = mass_bins(event)
    return None if bins is None or mass_frame(event, alert_type) is MassFrame.DETECTOR else bins


def _without_empty_ends(bins: MassBins) -> MassBins | None:
    """Return the histogram from its first to its last probability above 0: fewer numbers, the same sums.

    Return None if the probabilities are those of no histogram.
    """
    if not is_histogram(bins):
        return None
    stated = [at for at, probability in enumerate(bins.probabilities) if probability > 0]
    first, end = stated[0], stated[-1] + 1
    return MassBins(bin_edges=bins.bin_edges[first : end + 1], probabilities=bins.probabilities[first:end])


def _extract_quantities(notice: Notice, event: Event, bins: MassBins | None) -> dict[str, float]:
    stated = {**event.classification, **event.properties}
    found = {name: stated[name] for name in CLASSES + PROPERTIES if name in stated}
    if "BNS" in found and "NSBH" in found:
        found["NS"] = found["BNS"] + found["NSBH"]
    if "HasRemnant" in found and "Terrestrial" in found:
        # HasRemnant is a conditional probability, given an astrophysical origin.
        found["remnant"] = found["HasRemnant"] * (1 - found["Terrestrial"])
    if event.instruments:
        found["instruments"] = float(len(event.instruments))
    if bins is not None:
        found["mchirp"] = median_mass(bins)
    sky = notice.best_localization
    if sky is not None:
        found |= {"area50": sky.area_50, "area90": sky.area_90}
        distance = sky.distance or (None if notice.localization is None else notice.localization.distance)
        if distance is not None:
            found["distance"] = distance.mean
    return found


def median_mass(bins: MassBins) -> float:
    """Return the mass below which half of the probability lies, with equal density inside of a bin.

    One of the probabilities is above 0.
    """
    total = sum(bins.probabilities)
    below = 0.0
    for probability, low, high in zip(bins.probabilities, bins.bin_edges, bins.bin_edges[1:], strict=False):
        if probability > 0 and below + probability >= total / 2:
            return low + (high - low) * (total / 2 - below) / probability
        below += probability
    return bins.bin_edges[-1]
