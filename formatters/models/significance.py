"""What makes an alert significant, and what in it matters: rules without wording."""

from __future__ import annotations

from formatters.models.notice import INITIAL, Category, Event, ExternalCoincidence, Notice
from formatters.models.superevent import Superevent
from formatters.text import quantities, vocabulary

MAX_SIGNIFICANT_FAR = 1 / quantities.MONTH
"""Hz. Above it no GW candidate is significant by itself, whatever its trials factor."""


MAX_SIGNIFICANT_FAR_BURST_SSM = 1 / quantities.YEAR
"""Hz. The same for bursts and sub-solar masses (LVK's public alerts user guide)."""


def is_burst(event: Event) -> bool:
    """Whether the search assumed no model of the source."""
    return event.group.casefold() == "burst"


def is_ssm(event: Event) -> bool:
    """Whether it is of the search for sub-solar masses, which gives no class probabilities."""
    return event.search.casefold() == "ssm"


def is_early_warning(event: Event) -> bool:
    """Whether the preferred event is still that of the early-warning search."""
    return event.search.casefold() == "earlywarning"


def ranked_classes(event: Event) -> list[tuple[str, float]]:
    """The classes with their probabilities, the most probable first."""
    return sorted(event.classification.items(), key=lambda item: -item[1])


def is_significant_only_by_coincidence(notice: Notice) -> bool:
    """Whether only the coincidence makes it significant: the GW FAR alone is above every limit."""
    event = notice.event
    if event is None or not event.significant or notice.external is None or event.far is None:
        return False
    # A burst search for BBH has the limit of mergers.
    rarer = is_ssm(event) or (is_burst(event) and event.search.casefold() != "bbh")
    return event.far > (MAX_SIGNIFICANT_FAR_BURST_SSM if rarer else MAX_SIGNIFICANT_FAR)


MIN_NEUTRON_STAR_PROBABILITY = 0.3
"""BNS + NSBH above which a neutron star is likely enough."""


MIN_REMNANT_PROBABILITY = 0.1
"""HasRemnant × (1 − Terrestrial) above which matter may be left to shine."""


def is_light_expected(notice: Notice) -> bool:
    """Whether light may be expected, which the words `if NS` ask for.

    BNS + NSBH > 0.3, or HasRemnant × (1 − Terrestrial) > 0.1, or a candidate of the search for sub-solar
    masses, or a coincidence, one that can't be read too. HasRemnant is given an astrophysical origin
    (emfollow.docs.ligo.org, "Contents of an alert"), hence the factor; where no Terrestrial is given, it is
    taken as 0: rather woken once too often.
    """
    event = notice.event
    if event is None:
        return False
    classes = event.classification
    if classes.get("BNS", 0.0) + classes.get("NSBH", 0.0) > MIN_NEUTRON_STAR_PROBABILITY:
        return True
    if (
        event.properties.get("HasRemnant", 0.0) * (1 - classes.get("Terrestrial", 0.0))
        > MIN_REMNANT_PROBABILITY
    ):
        return True
    return is_ssm(event) or notice.external is not None or notice.has_unreadable_coincidence


_MIN_BROADCAST_NEUTRON_STAR_PROBABILITY = 0.3
"""BNS + NSBH probability from which an INITIAL is for the whole channel."""


_MAX_BROADCAST_AREA_RATIO = 0.5
"""Of the 90 % area."""


def should_broadcast(superevent: Superevent, notice: Notice) -> bool:
    """Whether the whole channel should see this notice's reply, not its thread alone.

    Where significance turns true, a coincidence is new, the leading class turns, or the event is retracted
    or comes back; an INITIAL where a neutron star is likely, for SSM, a coincidence or a halved area. Never
    for mocks and tests, and never for a notice that arrived after a newer one.
    """
    if superevent.category is not Category.REAL or late_notice_lines(superevent, notice):
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
    if new_coincidences(known, notice):
        return True
    if _leading_class(old) != _leading_class(new):
        return True
    return notice.alert_type == INITIAL and _is_noteworthy_initial(known, notice, new)


def _is_noteworthy_initial(known: Notice, notice: Notice, event: Event) -> bool:
    neutron_star = event.classification.get("BNS", 0.0) + event.classification.get("NSBH", 0.0)
    if (
        neutron_star >= _MIN_BROADCAST_NEUTRON_STAR_PROBABILITY
        or is_ssm(event)
        or notice.external is not None
    ):
        return True
    old, new = known.best_localization, notice.best_localization
    return old is not None and new is not None and new.area_90 <= _MAX_BROADCAST_AREA_RATIO * old.area_90


def _leading_class(event: Event) -> str | None:
    return max(event.classification, key=lambda name: event.classification[name], default=None)


def comparison_notice(superevent: Superevent, notice: Notice) -> Notice | None:
    """The notice that a reply compares with: the newest before it that carried facts; None if none did."""
    earlier = superevent.up_to(notice).notices[:-1]
    return next((n for n in reversed(earlier) if n.event is not None), None)


def late_notice_lines(superevent: Superevent, notice: Notice) -> list[str]:
    """Whether it arrived after a newer one, which only the times of receipt can tell.

    A reply that is merely posted late, its successor known by then, came in order.
    """
    if notice.received is None:
        return []
    newer = superevent.notices[superevent.notice_ordinal(notice) :]
    known = [n for n in newer if n.received is not None and n.received < notice.received]
    if not known:
        return []
    stage = vocabulary.alert_type_label(known[-1].alert_type)
    if known[-1].key[1:3] == notice.key[1:3]:
        return [f"Sent in the same second as another {stage}, which the message above shows."]
    return [
        f"Late: sent {quantities.utc(notice.time_created)}, but a newer {stage}"
        f" of {quantities.utc(known[-1].time_created)} is known. The message above shows the newer."
    ]


def new_coincidences(before: Notice, notice: Notice) -> list[ExternalCoincidence]:
    known = {coincidence_label(external) for external in before.coincidences}
    return [external for external in notice.coincidences if coincidence_label(external) not in known]


def coincidence_label(external: ExternalCoincidence) -> str:
    return vocabulary.coincidence_label(external.observatory, external.search)
