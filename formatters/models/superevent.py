"""A superevent: the ordered notices of one id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from formatters.models.notice import ALERT_TYPES, PRELIMINARY, Category, Event, Notice, category_from_id


def _sort_key(notice: Notice) -> tuple[object, ...]:
    # Times in whole seconds can be equal (an INITIAL and an UPDATE, or two UPDATEs). Then the alert type
    # decides, then the content: more facts count as newer. The order of arrival never matters.
    stage = ALERT_TYPES.index(notice.alert_type) if notice.alert_type in ALERT_TYPES else len(ALERT_TYPES)
    content = (len(notice.coincidences), notice.localization is not None, notice.content or "")
    return (notice.time_created, stage, notice.alert_type, *content)


def _without_superseded_archive_copies(notices: list[Notice]) -> list[Notice]:
    """Drop records from an archive if the notice itself was received."""
    sent = [notice for notice in notices if not notice.is_assembled]
    has_event = any(notice.event is not None for notice in sent)
    has_retraction = any(notice.is_retraction for notice in sent)
    received = {notice.key[:3] for notice in notices if notice.archive is None}
    return [
        notice
        for notice in notices
        if not (notice.is_assembled and (has_retraction if notice.event is None else has_event))
        and not (notice.archive is not None and notice.key[:3] in received)
    ]


@dataclass(frozen=True, slots=True)
class Superevent:
    """A superevent with all its known notices (at least one), in order of `time_created`."""

    superevent_id: str
    notices: tuple[Notice, ...]

    @staticmethod
    def from_notices(notices: Iterable[Notice]) -> Superevent:
        """Build a superevent from notices of one id in any order, dropping duplicates by key.

        A record from an archive is dropped if the notice itself was received. Raises ValueError if there are
        no notices or if their ids differ.
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
        """The newest notice that carries an event: after a retraction, the last known facts."""
        return next((n for n in reversed(self.notices) if n.event is not None), None)

    @property
    def latest_with_map(self) -> Notice | None:
        """The newest notice with a readable sky map."""
        return next((n for n in reversed(self.notices) if n.best_localization is not None), None)

    @property
    def event(self) -> Event | None:
        """The event of the newest notice that carries one."""
        notice = self.latest_with_event
        return None if notice is None else notice.event

    @property
    def is_retracted(self) -> bool:
        """True if the newest notice is a retraction; a later notice makes it a candidate again."""
        return self.latest.is_retraction

    @property
    def category(self) -> Category:
        """The category (real, mock or test) that follows from the id."""
        return category_from_id(self.superevent_id)

    def up_to(self, notice: Notice) -> Superevent:
        """Return the superevent as it was when `notice` was its newest.

        Raises ValueError if `notice` does not belong to this superevent.
        """
        for index, known in enumerate(self.notices):
            if known.key == notice.key:
                return Superevent(self.superevent_id, self.notices[: index + 1])
        raise ValueError(f"{notice.alert_type} {notice.time_created} is no notice of {self.superevent_id}.")

    def previous_notice(self, notice: Notice) -> Notice | None:
        """Return the notice directly before `notice`; None if `notice` is the first."""
        history = self.up_to(notice).notices
        return history[-2] if len(history) > 1 else None

    def notice_ordinal(self, notice: Notice) -> int:
        """Return the position of `notice` among the event's notices, starting with 1."""
        return len(self.up_to(notice).notices)

    def preliminary_ordinal(self, notice: Notice) -> int:
        """Return the number of PRELIMINARY notices up to and including `notice`."""
        return sum(1 for n in self.up_to(notice).notices if n.alert_type == PRELIMINARY)
