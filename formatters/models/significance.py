"""Rules about significance: which alerts are significant, and which changes deserve attention."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from formatters.models import classes
from formatters.models.notice import INITIAL, Category, Event, ExternalCoincidence, Notice
from formatters.models.superevent import Superevent
from formatters.models.units import MONTH, YEAR

MAX_SIGNIFICANT_FAR = 1 / MONTH
"""FAR in Hz above which no GW candidate is significant by itself, whatever its trials factor."""


MAX_SIGNIFICANT_FAR_BURST_SSM = 1 / YEAR
"""FAR limit in Hz for bursts and sub-solar masses (LVK's public alerts user guide)."""


def is_burst(event: Event) -> bool:
    """Return True if the event comes from a search that assumes no model of the source."""
    return event.group.casefold() == "burst"


def is_ssm(event: Event) -> bool:
    """Return True if the event comes from the sub-solar-mass search, which gives no class probabilities."""
    return event.search.casefold() == "ssm"


def is_early_warning(event: Event) -> bool:
    """Return True if the preferred event still comes from the early-warning search."""
    return event.search.casefold() == "earlywarning"


def ranked_classes(event: Event) -> list[tuple[str, float]]:
    """Return the classes with their probabilities, the most probable first."""
    return sorted(event.classification.items(), key=lambda item: -item[1])


def is_significant_only_by_coincidence(notice: Notice) -> bool:
    """Return True if only a coincidence makes the notice significant: the GW FAR is above the limit."""
    event = notice.event
    if event is None or not event.significant or notice.external is None or event.far is None:
        return False
    # The burst search for BBH has the same limit as the CBC searches.
    rarer = is_ssm(event) or (is_burst(event) and event.search.casefold() != "bbh")
    return event.far > (MAX_SIGNIFICANT_FAR_BURST_SSM if rarer else MAX_SIGNIFICANT_FAR)


MIN_NEUTRON_STAR_PROBABILITY = 0.3
"""Probability of BNS + NSBH above which a neutron star is likely, for mentions and broadcasts.

The limit is exclusive, like the cuts of other alert bots ("BNS or NSBH > 0.3"). LVK's user guide sets no
limit.
"""


MIN_REMNANT_PROBABILITY = 0.1
"""HasRemnant × (1 − Terrestrial) above which matter may remain outside the final compact object."""


MAX_BROADCAST_AREA_RATIO = 0.5
"""Ratio of the new to the old 90 % area up to which an INITIAL is broadcast to the channel."""


def is_neutron_star_likely(event: Event) -> bool:
    """Return True if BNS + NSBH is above MIN_NEUTRON_STAR_PROBABILITY."""
    stated = event.classification
    # A superfluous mention is better than a missing one, so an unread class may hold all that is left.
    unread = classes.unread_share(event, ("BNS", "NSBH"))
    return stated.get("BNS", 0.0) + stated.get("NSBH", 0.0) + unread > MIN_NEUTRON_STAR_PROBABILITY


def is_light_expected(notice: Notice) -> bool:
    """Return True if the event may be visible to telescopes: the rule behind the words `if NS`.

    It may be visible if a neutron star is likely, if HasRemnant × (1 − Terrestrial) > 0.1, if it comes from
    the sub-solar-mass search, or if there is a coincidence, even an unreadable one. HasRemnant assumes an
    astrophysical origin (emfollow.docs.ligo.org, "Contents of an alert"), hence the factor. A missing
    Terrestrial counts as 0, because a superfluous mention is better than a missing one.
    """
    event = notice.event
    if event is None:
        return False
    terrestrial = event.classification.get("Terrestrial", 0.0)
    if is_neutron_star_likely(event):
        return True
    if event.properties.get("HasRemnant", 0.0) * (1 - terrestrial) > MIN_REMNANT_PROBABILITY:
        return True
    return is_ssm(event) or notice.external is not None or notice.has_unreadable_coincidence


def should_broadcast(superevent: Superevent, notice: Notice) -> bool:
    """Return True if the notice's reply should also appear in the channel, outside its thread.

    This is so if the event becomes significant, gets a new coincidence, changes its most probable class, is
    retracted, or is a candidate again. It is also so for an INITIAL if a neutron star is likely, for SSM,
    with a coincidence, or with a halved 90 % area. Mocks, tests, and notices that arrived after a newer one
    are never broadcast.
    """
    if superevent.category is not Category.REAL or newer_known_notice(superevent, notice) is not None:
        return False
    before = superevent.previous_notice(notice)
    if notice.is_retraction:
        return True
    known, new = comparison_notice(superevent, notice), notice.event
    if before is None or known is None or known.event is None or new is None:
        return False
    old = known.event
    if before.is_retraction or (new.significant and not old.significant):
        return True
    if new_coincidences([known], notice):
        return True
    # Whether it changed isn't known where a class can't be read.
    unread = classes.unread_share(old) or classes.unread_share(new)
    if not unread and _leading_class(old) != _leading_class(new):
        return True
    return notice.alert_type == INITIAL and _is_noteworthy_initial(known, notice, new)


def _is_noteworthy_initial(known: Notice, notice: Notice, event: Event) -> bool:
    if is_neutron_star_likely(event) or is_ssm(event) or notice.external is not None:
        return True
    old, new = known.best_localization, notice.best_localization
    return old is not None and new is not None and new.area_90 <= MAX_BROADCAST_AREA_RATIO * old.area_90


def _leading_class(event: Event) -> str | None:
    return max(event.classification, key=lambda name: event.classification[name], default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """The reasons for a further mention that an event's newest notice adds; falsy if there are none."""

    newly_significant: Notice | None = None
    """The notice with which the event became significant; None if it did not."""
    new_coincidences: tuple[ExternalCoincidence, ...] = ()
    """Coincidences that no earlier notice named."""
    has_new_unreadable_coincidence: bool = False
    """True if there is an unreadable coincidence and no earlier notice named any coincidence."""

    def __bool__(self) -> bool:
        return (
            self.newly_significant is not None
            or bool(self.new_coincidences)
            or self.has_new_unreadable_coincidence
        )


def find_upgrade(before: Superevent | None, after: Superevent) -> Upgrade:
    """Return the reasons for a further mention that the newest notice of `after` adds.

    `before` is the superevent without that notice; None if it is the first.
    """
    old = None if before is None else before.event
    new = after.latest_with_event
    if before is None or old is None or new is None or new.event is None:
        return Upgrade()
    is_newly_significant = new.event.significant and not old.significant
    return Upgrade(
        newly_significant=new if is_newly_significant else None,
        new_coincidences=tuple(new_coincidences(before.notices, new)),
        has_new_unreadable_coincidence=new.has_unreadable_coincidence
        and not any(n.has_unreadable_coincidence or n.coincidences for n in before.notices),
    )


def comparison_notice(superevent: Superevent, notice: Notice) -> Notice | None:
    """Return the notice that a reply compares with: the newest earlier one with an event, or None."""
    earlier = superevent.up_to(notice).notices[:-1]
    return next((n for n in reversed(earlier) if n.event is not None), None)


def newer_known_notice(superevent: Superevent, notice: Notice) -> Notice | None:
    """Return the newest notice that was sent later but received earlier; None if there is none.

    Only the times of receipt count: a reply that is posted late, after its successor has arrived, still
    counts as in order.
    """
    if notice.received is None:
        return None
    later = superevent.notices[superevent.notice_ordinal(notice) :]
    known = [n for n in later if n.received is not None and n.received < notice.received]
    return known[-1] if known else None


def new_coincidences(earlier: Iterable[Notice], notice: Notice) -> list[ExternalCoincidence]:
    """Return the coincidences of `notice` whose observatory and search no earlier notice named."""
    known = {external.observatory_and_search for n in earlier for external in n.coincidences}
    return [one for one in notice.coincidences if one.observatory_and_search not in known]
