"""Messages that name a superevent, by formula, encoded as GCN and HERMES publish them.

Each function makes one kind: a circular, a neutrino search of IceCube, a result of Swift BAT GUANO, a
candidate of BOOM, a message of HERMES. Times are aware datetimes in UTC, positions degrees. `extra` adds
fields or replaces what the formula gives; a field replaced by `ABSENT` is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from bot.samples.records import format_time

ABSENT: Final = object()
"""Value in `extra` for a field that is left out."""

LVK_REPORTS: Final = (
    "The LIGO Scientific Collaboration, the Virgo Collaboration, and the KAGRA Collaboration report:\n"
)
"""How the text of LVK's own circulars begins."""

AlertType = Literal["initial", "update", "retraction"]

_SCHEMA = "https://gcn.nasa.gov/schema/main/gcn/{}.schema.json"
_ICECUBE_WINDOW = timedelta(seconds=500)
"""IceCube searches 1,000 s around the merger."""
_CONTAINMENT = 0.9


@dataclass(frozen=True, slots=True)
class SampleNeutrino:
    """A neutrino of a search: time after the merger in s, position and 90 % radius in degrees, p-values."""

    offset_s: float
    ra: float
    dec: float
    radius: float = 0.5
    p_generic: float | None = 0.02
    p_bayesian: float | None = None
    id: str = "138590_39138551"


@dataclass(frozen=True, slots=True)
class SampleDetection:
    """A row of photometry; with `magnitude` None only an upper limit."""

    time: datetime
    band: str
    magnitude: float | None
    limit: float = 20.5


def circular(
    superevent_id: str,
    *,
    created: datetime,
    number: int = 45_640,
    title: str = "Identification of a GW compact binary merger candidate",
    body: str = LVK_REPORTS,
    submitter: str = "Jane Doe at Example Observatory <jane@example.org>",
    edited: datetime | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a GCN Circular with the subject "LIGO/Virgo/KAGRA <id>: <title>".

    Without an id the subject is `title` alone, and the circular has no `eventId`. `edited` is when GCN's
    moderators changed it.
    """
    named = f"LIGO/Virgo/KAGRA {superevent_id}"
    record: dict[str, Any] = {
        "$schema": _SCHEMA.format("circulars"),
        "subject": f"{named}: {title}" if superevent_id else title,
        "eventId": named if superevent_id else ABSENT,
        "submitter": submitter,
        "submittedHow": "web",
        "circularId": number,
        "bibcode": f"{created.year}GCN.{number}....1D",
        "format": "text/plain",
        "eventType": ["GW"] if superevent_id else [],
        "createdOn": _milliseconds(created),
        "body": body,
    }
    if edited is not None:
        moderator = "A. Moderator at GCN <moderator@example.org>"
        record |= {"editedBy": moderator, "editedOn": _milliseconds(edited), "version": 2}
    return _encode(record, extra)


def neutrino_search(
    superevent_id: str,
    *,
    created: datetime,
    event_time: datetime,
    neutrinos: Sequence[SampleNeutrino] = (),
    p_generic: float | None = 0.0191,
    p_bayesian: float | None = 0.0549,
    notice: str = "2-Preliminary",
    most_probable: tuple[float, float] | None = None,
    is_flat: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return IceCube's search around an event, as its producer sends it.

    `notice` is the searched notice's number and type, `most_probable` the joint direction (RA, Dec).
    `is_flat` puts the positions into the neutrinos themselves, as in the schema, and not into `localization`,
    as in what is sent.
    """
    record: dict[str, Any] = {
        "$schema": _SCHEMA.format("notices/icecube/lvk_nu_track_search"),
        "type": "IceCube LVK Alert Nu Track Search",
        "reference": {"gcn.notices.LVK.alert": f"{superevent_id}-{notice}"},
        "ref_ID": superevent_id,
        "alert_datetime": format_time(created, milliseconds=True),
        "trigger_time": format_time(event_time),
        "observation_start": format_time(event_time - _ICECUBE_WINDOW),
        "observation_stop": format_time(event_time + _ICECUBE_WINDOW),
        "observation_livetime": 1000,
        "pval_generic": p_generic,
        "pval_bayesian": p_bayesian,
        "n_events_coincident": len(neutrinos),
    }
    if neutrinos:
        record["coincident_events"] = [_neutrino(one, is_flat=is_flat) for one in neutrinos]
    if most_probable is not None:
        record["most_probable_direction"] = {"ra": most_probable[0], "dec": most_probable[1]}
    return _encode(record, extra)


def guano(
    follow_up_event: str,
    *,
    created: datetime,
    event_time: datetime,
    trigger_id: str = "694215995",
    alert_type: AlertType = "initial",
    position: tuple[float, float, float] | None = None,
    region_fits: bytes | None = None,
    far_hz: float = 1e-5,
    snr: float = 7.5,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a result of Swift BAT GUANO; `position` is RA, Dec and 90 % radius, degrees.

    The first notice of a trigger has neither position nor map, later ones have one of them; a retraction has
    no numbers.
    """
    record: dict[str, Any] = {
        "$schema": _SCHEMA.format("notices/swift/bat/Guano"),
        "mission": "Swift",
        "instrument": "BAT-GUANO",
        "messenger": "EM",
        "record_number": {"initial": 1, "update": 2, "retraction": 4}[alert_type],
        "alert_datetime": format_time(created, milliseconds=True),
        "alert_tense": "current",
        "alert_type": alert_type,
        "trigger_time": format_time(event_time, milliseconds=True),
        "follow_up_event": follow_up_event,
        "follow_up_type": "GW",
        "data_archive_page": f"https://example.org/trigger_report?id={trigger_id}",
        "id": [trigger_id],
    }
    if alert_type != "retraction":
        record |= {"rate_snr": snr, "rate_duration": 0.256, "classification": {"GRB": 1}, "far": far_hz}
        if position is not None:
            record |= _circle(*position)
        if region_fits is not None:
            record["healpix_file"] = base64.b64encode(region_fits).decode()
    return _encode(record, extra)


def boom(
    superevent_ids: Sequence[str],
    *,
    created: datetime,
    name: str = "ZTF25acffkdr",
    ra: float = 150.175649,
    dec: float = 15.2832185,
    scores: Mapping[str, float] | None = None,
    photometry: Sequence[SampleDetection] = (),
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return BOOM's alert of an optical transient that lies in the maps of these events."""
    record: dict[str, Any] = {
        "$schema": _SCHEMA.format("notices/boom/alert"),
        "alert_datetime": format_time(created),
        "mission": "Boom",
        "data": {
            "targets": [
                {
                    "event_name": name,
                    "ra": ra,
                    "dec": dec,
                    "classification_scores": dict(scores or {}),
                    "gcn_crossmatch": [
                        {"ref_type": "GW", "ref_instrument": "LVK", "ref_ID": one} for one in superevent_ids
                    ],
                }
            ],
            "photometry": [
                {
                    "event_name": name,
                    "observation_start": format_time(one.time, milliseconds=True),
                    "telescope": "Palomar 1.2m Oschin",
                    "instrument": "ZTF",
                    "filter": one.band,
                    **({} if one.magnitude is None else {"mag": one.magnitude, "mag_error": 0.03}),
                    "mag_system": "AB",
                    "limiting_mag": one.limit,
                }
                for one in photometry
            ],
        },
    }
    return _encode(record, extra)


def hermes(
    event_id: str | None,
    *,
    title: str = "Candidate counterparts from an example survey",
    authors: str = "J. Doe (Example Observatory)",
    targets: Sequence[Mapping[str, Any]] = (),
    photometry: Sequence[Mapping[str, Any]] = (),
    published: datetime | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a message of HERMES; targets and photometry are in its own words ("name", "ra", "date_obs" …).

    What is sent has no time of its own unless `published` adds one, as HERMES' archive does.
    """
    record: dict[str, Any] = {
        "title": title,
        "topic": "hermes.discovery",
        "submitter": "Jane Doe <jane@example.org>",
        "authors": authors,
        "message_text": "",
        "data": {
            "event_id": event_id,
            "targets": [dict(one) for one in targets],
            "photometry": [dict(one) for one in photometry],
            "spectroscopy": [],
            "astrometry": [],
            "references": [],
        },
    }
    if published is not None:
        record["published"] = format_time(published, milliseconds=True)
    return _encode(record, extra)


def _neutrino(one: SampleNeutrino, *, is_flat: bool) -> dict[str, Any]:
    circle = _circle(one.ra, one.dec, one.radius)
    return {
        "event_dt": one.offset_s,
        **(circle if is_flat else {"localization": circle}),
        "id": [one.id],
        "event_pval_generic": one.p_generic,
        "event_pval_bayesian": one.p_bayesian,
    }


def _circle(ra: float, dec: float, radius: float) -> dict[str, Any]:
    return {
        "ra": ra,
        "dec": dec,
        "ra_dec_error": radius,
        "containment_probability": _CONTAINMENT,
        "systematic_included": False,
    }


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _encode(record: Mapping[str, Any], extra: Mapping[str, Any] | None) -> bytes:
    merged = {**record, **(extra or {})}
    return json.dumps({key: value for key, value in merged.items() if value is not ABSENT}).encode()
