"""Decoding of IceCube's searches for neutrinos around LVK's events.

Topic `gcn.notices.icecube.lvk_nu_track_search`; GCN's schema
gcn/notices/icecube/lvk_nu_track_search.schema.json, its sibling for cascades, and what IceCube's producer
really sends (icecube/FastResponseAnalysis): positions nested in `localization`, `event_dt` = neutrino −
event, a null p-value for an analysis that wasn't run, and neither `coincident_events` nor a direction if
`n_events_coincident` is 0. It lists only neutrinos whose own p-value is below 0.1.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.alerts import fields
from bot.alerts.payload import Record, UndecodablePayload
from bot.related_messages.message_fields import (
    MAX_NAME,
    MAX_POSITIONS,
    count,
    is_about_the_sky,
    is_retraction,
    line,
    mapping,
    mappings,
    message_key,
    observation_time,
    position,
    sent_time,
    superevent_ids,
    texts,
    without_real_events,
)
from formatters.models.related_message import (
    CoincidentNeutrino,
    MessageKind,
    NeutrinoSearch,
    RelatedMessage,
    Stream,
)

LVK_NOTICE_KEY = "gcn.notices.LVK.alert"
"""Key of `reference` for the notice whose map was searched."""
_MAX_OFFSET_S = 30 * 86_400.0
"""No search looks further from the merger, s."""


def decode_search(record: Record, received: datetime | None) -> RelatedMessage:
    """Decode a search. Raises UndecodablePayload.

    A search has no id of its own. Its key is the notice whose map was searched and the analysis, so that a
    search of LVK's next map is another line, and a corrected or withdrawn result replaces the first. A
    withdrawn one keeps its kind: "retraction" is said of events alone.
    """
    notice = _searched_notice(record.get("reference"))
    ids = superevent_ids(record.get("ref_ID"), is_lvk=True) or superevent_ids(notice, is_lvk=False)
    if not ids:
        raise UndecodablePayload("The neutrino search has no usable ref_ID.")
    if not is_about_the_sky(record):
        ids = without_real_events(ids)
    withdrawn = is_retraction(record)
    search = NeutrinoSearch(
        p_generic=fields.probability(record.get("pval_generic")),
        p_bayesian=fields.probability(record.get("pval_bayesian")),
        coincident=count(record.get("n_events_coincident")),
        neutrinos=_neutrinos(record.get("coincident_events"), observation_time(record.get("trigger_time"))),
        searched_notice=notice,
    )
    analysis = line(record.get("pipeline"), MAX_NAME)
    direction = position(mapping(record.get("most_probable_direction")), name="most probable direction")
    return RelatedMessage(
        stream=Stream.ICECUBE,
        key=message_key(
            record, "/".join(filter(None, (notice or line(record.get("ref_ID"), MAX_NAME), analysis)))
        ),
        created=sent_time(record, received, "observation_stop", "trigger_time"),
        superevent_ids=ids,
        kind=MessageKind.NEUTRINO_SEARCH,
        subject=_subject(search, analysis, is_withdrawn=withdrawn),
        author="IceCube",
        is_retracted=withdrawn,
        positions=() if direction is None else (direction,),
        details=search,
    )


def _searched_notice(value: object) -> str:
    """Return the notice of LVK in `reference`: a mapping of topics to names, a list of such, or a text."""
    if isinstance(value, str):
        return line(value, MAX_NAME)
    for reference in mappings(value, MAX_POSITIONS):
        named = texts(reference.get(LVK_NOTICE_KEY))
        others = (
            texts(one) for key, one in reference.items() if isinstance(key, str) and "lvk" in key.casefold()
        )
        found = named or next(filter(None, others), ())
        if found:
            return found[0]
    return ""


def _neutrinos(value: object, merger: datetime | None) -> tuple[CoincidentNeutrino, ...]:
    found = []
    for one in mappings(value, MAX_POSITIONS):
        offset = fields.number(one.get("event_dt"))
        where = position(
            mapping(one.get("localization")) or one,
            name=next(iter(texts(one.get("event_name")) or texts(one.get("id"))), ""),
            time=_time(merger, offset),
        )
        if where is not None:
            found.append(
                CoincidentNeutrino(
                    position=where,
                    offset_s=offset,
                    p_generic=fields.probability(one.get("event_pval_generic")),
                    p_bayesian=fields.probability(one.get("event_pval_bayesian")),
                )
            )
    return tuple(found)


def _time(merger: datetime | None, offset_s: float | None) -> datetime | None:
    if merger is None or offset_s is None or abs(offset_s) > _MAX_OFFSET_S:
        return None
    return merger + timedelta(seconds=offset_s)


def _subject(search: NeutrinoSearch, analysis: str, *, is_withdrawn: bool) -> str:
    about = f"IceCube neutrino search{f' ({analysis})' if analysis else ''}"
    if search.searched_notice:
        about += f" in the map of {search.searched_notice}"
    if is_withdrawn:
        return about
    match search.coincident:
        case None:
            return about
        case 0:
            return f"{about}: no coincident neutrino"
        case 1:
            return f"{about}: 1 coincident neutrino"
        case number:
            return f"{about}: {number:,} coincident neutrinos"
