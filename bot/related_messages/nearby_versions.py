"""The versions of one alert joined to its newest state, whatever order they came in.

A trigger is sent several times: positions of growing quality, a class in some, a retraction. Versions don't
repeat what older ones said, so the newest statement of each kind counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from datetime import datetime

from formatters.models.nearby_alert import NearbyAlert

_MAX_IDS = 20

_Rank = tuple[datetime, bool, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertVersions:
    """The versions of an alert that the store keeps: the newest, and the newest that states each thing."""

    newest: NearbyAlert
    positioned: NearbyAlert | None
    """The newest with a position or map."""
    classified: NearbyAlert | None
    """The newest with a class."""
    timed: NearbyAlert | None
    """The newest with a class of duration."""
    ids: frozenset[str]

    @staticmethod
    def of(alert: NearbyAlert) -> AlertVersions:
        """Return the state after one version."""
        placed = alert.position is not None or alert.region_fits is not None
        bare = replace(alert, position=None, region_fits=None)
        return AlertVersions(
            newest=bare,
            positioned=alert if placed else None,
            classified=bare if alert.classification else None,
            timed=bare if alert.duration_class else None,
            ids=frozenset((alert.key, *alert.ids)),
        )

    def joined(self, other: AlertVersions) -> AlertVersions:
        """Return the state after the versions of both; which is which doesn't matter."""
        return AlertVersions(
            newest=max(self.newest, other.newest, key=_rank),
            positioned=_newer(self.positioned, other.positioned),
            classified=_newer(self.classified, other.classified),
            timed=_newer(self.timed, other.timed),
            ids=frozenset(sorted(self.ids | other.ids)[:_MAX_IDS]),
        )

    @property
    def alert(self) -> NearbyAlert:
        """The alert in its newest state."""
        newest, placed, classified, timed = self.newest, self.positioned, self.classified, self.timed
        is_burst = classified is None or classified.is_burst
        classification = "" if classified is None else classified.classification
        if classified is not None and not is_burst and timed is not None and _rank(timed) > _rank(classified):
            # The ground took it for a burst after the spacecraft hadn't: which is right isn't known.
            is_burst, classification = True, ""
        ids = tuple(sorted(self.ids))
        return replace(
            newest,
            ids=ids,
            name=_name(newest, ids),
            position=None if placed is None else placed.position,
            systematic_included=placed is not None and placed.systematic_included,
            position_kind="" if placed is None else placed.position_kind,
            region_fits=None if placed is None else placed.region_fits,
            classification=classification,
            is_burst=is_burst,
            duration_class="" if timed is None else timed.duration_class,
        )


def join_same_triggers(found: Iterable[AlertVersions]) -> list[AlertVersions]:
    """Join those of one kind that share an id: a version may have named only one of a trigger's ids."""
    joined: list[AlertVersions] = []
    for one in found:
        whole, apart = one, []
        for other in joined:
            if other.newest.stream == whole.newest.stream and other.ids & whole.ids:
                whole = whole.joined(other)
            else:
                apart.append(other)
        joined = [*apart, whole]
    return sorted(joined, key=lambda one: (one.newest.trigger_time, one.newest.stream, one.newest.key))


def _name(newest: NearbyAlert, ids: tuple[str, ...]) -> str:
    """Return the name for people, by preference one with letters in it: "bn240812094", not "745121685"."""
    if not newest.name.isdecimal():
        return newest.name
    return next((one for one in ids if not one.isdecimal()), newest.name)


def _newer(one: NearbyAlert | None, other: NearbyAlert | None) -> NearbyAlert | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=_rank)


def _rank(alert: NearbyAlert) -> _Rank:
    # The content decides between versions that say the same time, so that the order of arrival doesn't.
    return alert.created, alert.is_retracted, alert.revision, repr(astuple(alert))
