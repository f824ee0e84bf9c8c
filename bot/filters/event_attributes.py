"""What filters ask of a superevent, as its newest event states it: small enough to keep thousands at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from formatters.models import significance
from formatters.models.notice import CLASSES, PROPERTIES, Category, Event, Notice, NoticeKey, category_from_id
from formatters.models.superevent import Superevent
from formatters.text import event_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAttributes:
    """The facts that filters judge by; what the notice lacks is missing."""

    superevent_id: str
    alert_type: str
    """Of the newest notice that carries an event."""
    time_created: datetime
    content: str = ""
    """The last part of that notice's key."""
    event_time: datetime
    significant: bool
    retracted: bool
    """Whether a later notice withdrew it."""
    fields: Mapping[str, str]
    """group, search, pipeline, type, case folded."""
    quantities: Mapping[str, float]
    """By the names of `formatters.models.filter.QUANTITIES`."""
    far: float | None
    """Hz; where only the coincidence makes it significant, the joint FAR."""
    far_is_joint: bool
    """Whether `far` is the joint one."""
    detectors: tuple[str, ...]
    """Empty where they aren't given."""
    external: bool | None
    """None where a coincidence is named in a form that can't be understood."""
    has_map: bool

    @property
    def category(self) -> Category:
        """Real, mock or test."""
        return category_from_id(self.superevent_id)

    @property
    def notice_key(self) -> NoticeKey:
        """The key of the notice that these are of."""
        return (self.superevent_id, self.alert_type, self.time_created, self.content)

    def to_json(self) -> str:
        """JSON that `from_json` reads back."""
        return json.dumps(
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
            },
            separators=(",", ":"),
        )

    @staticmethod
    def from_json(superevent_id: str, text: str) -> EventAttributes:
        """Read what `to_json` wrote."""
        said: dict[str, Any] = json.loads(text)
        return EventAttributes(
            superevent_id=superevent_id,
            alert_type=said["type"],
            time_created=datetime.fromisoformat(said["created"]),
            # Written before notices had it.
            content=said.get("content", ""),
            event_time=datetime.fromisoformat(said["time"]),
            significant=said["significant"],
            retracted=said["retracted"],
            fields=said["named"],
            quantities=said["numbers"],
            far=said["far"],
            far_is_joint=said["joint"],
            detectors=tuple(said["detectors"]),
            external=said["external"],
            has_map=said["map"],
        )


def extract_attributes(superevent: Superevent) -> EventAttributes | None:
    """The traits of a superevent; None where only a retraction is known of it."""
    notice = superevent.latest_with_event
    if notice is None or notice.event is None:
        return None
    event = notice.event
    far, joint = _effective_far(notice, event)
    said = {
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
        fields={field: name.casefold() for field, name in said.items() if name},
        quantities=_extract_quantities(notice, event),
        far=far,
        far_is_joint=joint,
        detectors=tuple(name.upper() for name in event.instruments),
        external=None if notice.has_unreadable_coincidence else notice.external is not None,
        has_map=notice.best_localization is not None,
    )


def _effective_far(notice: Notice, event: Event) -> tuple[float | None, bool]:
    """The FAR that counts, and whether it is the joint one; time and sky position before time alone."""
    external = notice.external
    only_joint = external is not None and event.significant and event.far is None
    if external is None or not (only_joint or significance.is_significant_only_by_coincidence(notice)):
        return event.far, False
    return event_lines.lowest_joint_far(notice), True


def _extract_quantities(notice: Notice, event: Event) -> dict[str, float]:
    stated = {**event.classification, **event.properties}
    found = {name: stated[name] for name in CLASSES + PROPERTIES if name in stated}
    if "BNS" in found and "NSBH" in found:
        found["NS"] = found["BNS"] + found["NSBH"]
    if "HasRemnant" in found and "Terrestrial" in found:
        # HasRemnant is given an astrophysical origin.
        found["remnant"] = found["HasRemnant"] * (1 - found["Terrestrial"])
    if event.instruments:
        found["instruments"] = float(len(event.instruments))
    sky = notice.best_localization
    if sky is not None:
        found |= {"area50": sky.area_50, "area90": sky.area_90}
        distance = sky.distance or (None if notice.localization is None else notice.localization.distance)
        if distance is not None:
            found["distance"] = distance.mean
    return found
