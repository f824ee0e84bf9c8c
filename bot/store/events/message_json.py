"""Related messages as JSON: what a row of `related_messages` holds, and positions for other tables.

A newer version of gwevent may have written a row that this one reads after a rollback: keys that aren't known
are passed over, and a value that isn't known becomes the plainest one (a kind: a report; details: none). What
is left out has its default.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from formatters.models.related_message import (
    CoincidentNeutrino,
    Details,
    GammaRayFollowUp,
    MessageKind,
    NeutrinoSearch,
    RelatedMessage,
    ReportedPosition,
    Stream,
)

Record = Mapping[str, object]
"""A JSON object."""


def to_json(message: RelatedMessage) -> str:
    """Return a message as JSON; `from_json` restores an equal one."""
    record = {
        "stream": message.stream.value,
        "key": message.key,
        "created": message.created.isoformat(),
        "superevent_ids": list(message.superevent_ids),
        "kind": message.kind.value,
        "subject": message.subject,
        **_given(
            author=message.author,
            number=message.number,
            first_created=None if message.first_created is None else message.first_created.isoformat(),
            is_retracted=message.is_retracted,
            retracts_event=message.retracts_event,
        ),
    }
    if message.positions:
        record["positions"] = [position_to_record(position) for position in message.positions]
    match message.details:
        case NeutrinoSearch():
            record["neutrino_search"] = _search_to_record(message.details)
        case GammaRayFollowUp():
            record["gamma_ray_follow_up"] = _follow_up_to_record(message.details)
        case None:
            pass
    return json.dumps(record, separators=(",", ":"))


def from_json(text: str) -> RelatedMessage:
    """Return the message of a text that `to_json` wrote.

    Raises ValueError if it is none, or if its stream isn't known to this version.
    """
    record = _object(json.loads(text))
    return RelatedMessage(
        stream=Stream(_text(record, "stream")),
        key=_text(record, "key"),
        created=_required_time(record, "created"),
        superevent_ids=tuple(i for i in _list(record, "superevent_ids") if isinstance(i, str)),
        kind=_kind(_text(record, "kind")),
        subject=_text(record, "subject"),
        author=_text(record, "author"),
        number=_integer(record, "number"),
        first_created=None if "first_created" not in record else _required_time(record, "first_created"),
        is_retracted=record.get("is_retracted") is True,
        retracts_event=record.get("retracts_event") is True,
        positions=tuple(position_from_record(_object(p)) for p in _list(record, "positions")),
        details=_details(record),
    )


def position_to_record(position: ReportedPosition) -> dict[str, object]:
    """Return a position as a JSON object; `position_from_record` restores an equal one."""
    return {
        "ra": position.ra,
        "dec": position.dec,
        **_given(
            name=position.name,
            radius=position.radius,
            containment=position.containment,
            redshift=position.redshift,
            redshift_error=position.redshift_error,
            distance=position.distance,
            distance_error=position.distance_error,
            time=None if position.time is None else position.time.isoformat(),
            magnitude=position.magnitude,
        ),
    }


def position_from_record(record: Record) -> ReportedPosition:
    """Return the position of a JSON object. Raises ValueError if it has no coordinates."""
    ra, dec = _number(record, "ra"), _number(record, "dec")
    if ra is None or dec is None:
        raise ValueError("The stored position has no coordinates.")
    return ReportedPosition(
        ra=ra,
        dec=dec,
        name=_text(record, "name"),
        radius=_number(record, "radius"),
        containment=_number(record, "containment"),
        redshift=_number(record, "redshift"),
        redshift_error=_number(record, "redshift_error"),
        distance=_number(record, "distance"),
        distance_error=_number(record, "distance_error"),
        time=None if "time" not in record else _required_time(record, "time"),
        magnitude=_text(record, "magnitude"),
    )


def _search_to_record(search: NeutrinoSearch) -> dict[str, object]:
    return {
        **_given(
            p_generic=search.p_generic,
            p_bayesian=search.p_bayesian,
            coincident=search.coincident,
            searched_notice=search.searched_notice,
        ),
        "neutrinos": [
            {
                "position": position_to_record(neutrino.position),
                **_given(
                    offset_s=neutrino.offset_s,
                    p_generic=neutrino.p_generic,
                    p_bayesian=neutrino.p_bayesian,
                ),
            }
            for neutrino in search.neutrinos
        ],
    }


def _search_from_record(record: Record) -> NeutrinoSearch:
    return NeutrinoSearch(
        p_generic=_number(record, "p_generic"),
        p_bayesian=_number(record, "p_bayesian"),
        coincident=_integer(record, "coincident"),
        searched_notice=_text(record, "searched_notice"),
        neutrinos=tuple(
            CoincidentNeutrino(
                position=position_from_record(_object(neutrino.get("position"))),
                offset_s=_number(neutrino, "offset_s"),
                p_generic=_number(neutrino, "p_generic"),
                p_bayesian=_number(neutrino, "p_bayesian"),
            )
            for neutrino in map(_object, _list(record, "neutrinos"))
        ),
    )


def _follow_up_to_record(follow_up: GammaRayFollowUp) -> dict[str, object]:
    record: dict[str, object] = {
        "is_detection": follow_up.is_detection,
        **_given(far_hz=follow_up.far_hz, snr=follow_up.snr),
    }
    if follow_up.region_fits is not None:
        record["region_fits"] = base64.b64encode(follow_up.region_fits).decode("ascii")
    return record


def _follow_up_from_record(record: Record) -> GammaRayFollowUp:
    return GammaRayFollowUp(
        is_detection=record.get("is_detection") is True,
        far_hz=_number(record, "far_hz"),
        snr=_number(record, "snr"),
        region_fits=bytes_from_text(_text(record, "region_fits")) if "region_fits" in record else None,
    )


def bytes_from_text(text: str) -> bytes:
    """Return the bytes that a stored text holds as base64. Raises ValueError if it isn't base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("The stored bytes aren't base64.") from error


def _details(record: Record) -> Details | None:
    if "neutrino_search" in record:
        return _search_from_record(_object(record["neutrino_search"]))
    if "gamma_ray_follow_up" in record:
        return _follow_up_from_record(_object(record["gamma_ray_follow_up"]))
    return None


def _kind(value: str) -> MessageKind:
    try:
        return MessageKind(value)
    except ValueError:
        return MessageKind.REPORT


def _given(**values: object) -> dict[str, object]:
    """Return the values that aren't the models' defaults: not None, not False, not empty."""
    return {key: value for key, value in values.items() if value not in (None, "") and value is not False}


def _object(value: object) -> Record:
    if not isinstance(value, Mapping):
        raise ValueError("A JSON object is missing in a stored message.")
    return value


def _list(record: Record, key: str) -> Sequence[object]:
    value = record.get(key)
    return value if isinstance(value, list) else ()


def _text(record: Record, key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _number(record: Record, key: str) -> float | None:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _integer(record: Record, key: str) -> int | None:
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _required_time(record: Record, key: str) -> datetime:
    """Return a time in UTC. Raises ValueError if there is none."""
    time = datetime.fromisoformat(_text(record, key))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
