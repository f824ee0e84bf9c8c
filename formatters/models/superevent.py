"""A superevent: the notices of one id, in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from formatters.models.notice import ALERT_TYPES, PRELIMINARY, Category, Event, Notice, category_from_id


def _sort_key(notice: Notice) -> tuple[object, ...]:
    # Whole seconds tie (an INITIAL and an UPDATE of one second exist, and two UPDATEs), so the stage decides,
    # then what is said: more is newer. No tie is left to the order of arrival.
    stage = ALERT_TYPES.index(notice.alert_type) if notice.alert_type in ALERT_TYPES else len(ALERT_TYPES)
    said = (len(notice.coincidences), notice.localization is not None, notice.content or "")
    return (notice.time_created, stage, notice.alert_type, *said)


def _without_superseded_archive_copies(notices: list[Notice]) -> list[Notice]:
    """Leave out what an archive had, where the notice itself is known."""
    sent = [notice for notice in notices if not notice.is_assembled]
    facts = any(notice.event is not None for notice in sent)
    gone = any(notice.is_retraction for notice in sent)
    received = {notice.key[:3] for notice in notices if notice.archive is None}
    return [
        notice
        for notice in notices
        if not (notice.is_assembled and (gone if notice.event is None else facts))
        and not (notice.archive is not None and notice.key[:3] in received)
    ]


@dataclass(frozen=True, slots=True)
class Superevent:
    """All that was received of one superevent, in order of `time_created`; at least one notice."""

    superevent_id: str
    notices: tuple[Notice, ...]

    @staticmethod
    def from_notices(notices: Iterable[Notice]) -> Superevent:
        """Build it from the notices of one id, in any order; repeats by key count once.

        What was put together from an archive stands only until the notice itself is known. Raises
        ValueError if there is none, or if ids differ.
        """
        unique: dict[tuple[object, ...], Notice] = {}
        for notice in notices:
            unique.setdefault(notice.key, notice)
        ordered = sorted(_without_superseded_archive_copies(list(unique.values())), key=_sort_key)
        ids = {notice.superevent_id for notice in ordered}
        if len(ids) != 1:
            raise ValueError(f"A superevent needs the notices of one id, not of {len(ids)}.")
        return Superevent(ids.pop(), tuple(ordered))

    @property
    def latest(self) -> Notice:
        """The newest notice by `time_created`."""
        return self.notices[-1]

    @property
    def latest_with_event(self) -> Notice | None:
        """The newest notice that carries an event: the facts that a retraction took back."""
        return next((n for n in reversed(self.notices) if n.event is not None), None)

    @property
    def latest_with_map(self) -> Notice | None:
        """The newest notice with a sky map that could be read."""
        return next((n for n in reversed(self.notices) if n.best_localization is not None), None)

    @property
    def event(self) -> Event | None:
        """The newest known candidate's event."""
        notice = self.latest_with_event
        return None if notice is None else notice.event

    @property
    def is_retracted(self) -> bool:
        """Whether the newest notice is a retraction (a later notice revives the event)."""
        return self.latest.is_retraction

    @property
    def category(self) -> Category:
        """Real, mock or test."""
        return category_from_id(self.superevent_id)

    def up_to(self, notice: Notice) -> Superevent:
        """The superevent as it stood when `notice` was its newest. Raises ValueError for another's notice."""
        for index, known in enumerate(self.notices):
            if known.key == notice.key:
                return Superevent(self.superevent_id, self.notices[: index + 1])
        raise ValueError(f"{notice.alert_type} {notice.time_created} is no notice of {self.superevent_id}.")

    def previous_notice(self, notice: Notice) -> Notice | None:
        """The notice right before this one; None if it is the first."""
        history = self.up_to(notice).notices
        return history[-2] if len(history) > 1 else None

    def notice_ordinal(self, notice: Notice) -> int:
        """1 for the first notice of the event."""
        return len(self.up_to(notice).notices)

    def preliminary_ordinal(self, notice: Notice) -> int:
        """1 for the first PRELIMINARY up to `notice`, 2 for the second."""
        return sum(1 for n in self.up_to(notice).notices if n.alert_type == PRELIMINARY)
