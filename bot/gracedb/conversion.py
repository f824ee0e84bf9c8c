"""Convert GraceDB's JSON to payloads like those of the brokers. No I/O.

GraceDB keeps the notices that were sent since 2023, and those are imported as they are. For older superevents
a payload is assembled from the superevent, its labels, `p_astro`, `em_bright` and the newest multi-order map,
so that the ingest pipeline handles it like any other; `assembled_from` in it names its sources.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import erfa

from bot.gracedb.client import UnreadableAnswer
from formatters.models.notice import ALERT_TYPES, ASSEMBLED_FROM, GRACEDB, RETRACTION, parse_event_id

RETRACTED_LABEL = "ADVNO"
_SIGNIFICANT_LABELS = frozenset(
    {"SIGNIF_LOCKED", "ADVREQ", "ADVOK", RETRACTED_LABEL, "EARLY_WARNING", "RAVEN_ALERT"}
)
_LOW_SIGNIFICANCE_LABEL = "LOW_SIGNIF_LOCKED"
_COINCIDENCE_LABELS = frozenset({"EM_COINC", "RAVEN_ALERT"})

_MAX_VERSION_DIGITS = 9
"""Digits of a file's version; Python rejects integers of thousands of digits."""

MAP_SUFFIX = ".multiorder.fits"
COMBINED_PREFIX = "combined"
MAX_NOTICES = 40
"""Notices of one superevent; the superevent of O4 with the most had about ten."""

SETTLED_AFTER = timedelta(days=60)
"""Time after an event after which GraceDB's record of it no longer changes; updates come for weeks."""

_HALF_SECOND = timedelta(seconds=0.5)
"""LVK's notices have times in whole seconds, so no notice has the key of an assembled payload."""
_GPS_EPOCH_JD = 2444244.5
_TAI_MINUS_GPS_S = 19
_UNIX_EPOCH_JD = 2440587.5
_DAY_S = 86_400
_MAP_PROGRAMS = ("bayestar", "", "lalinference", "bilby", "bilby.offline")
"""Programs that make maps, the earliest first, for maps without an upload time; "" is any other."""


@dataclass(frozen=True, slots=True)
class SupereventRecord:
    """A superevent in GraceDB."""

    superevent_id: str
    created: datetime
    labels: frozenset[str]
    raw: Mapping[str, Any] = field(repr=False)
    """The JSON object that GraceDB returned."""

    @property
    def significant(self) -> bool:
        """False if labelled as of low significance, since O4; before, all public events were significant."""
        return bool(self.labels & _SIGNIFICANT_LABELS) or _LOW_SIGNIFICANCE_LABEL not in self.labels

    @property
    def retracted(self) -> bool:
        """True if it was retracted."""
        return RETRACTED_LABEL in self.labels


@dataclass(frozen=True, slots=True, kw_only=True)
class SupereventFiles:
    """The files that a payload is assembled from, besides the superevent; None if GraceDB has none."""

    label_times: Mapping[str, datetime] = field(default_factory=dict)
    """Label -> the time it was set."""
    upload_times: Mapping[str, datetime] = field(default_factory=dict)
    """File "name,version" -> its upload time."""
    p_astro: Mapping[str, Any] | None = None
    em_bright: Mapping[str, Any] | None = None
    mchirp_source: Mapping[str, Any] | None = None
    skymap: bytes | None = None
    combined_skymap: bytes | None = None
    file_names: tuple[str, ...] = ()
    """The names of these files."""


def parse_superevent(answer: object) -> SupereventRecord:
    """Parse a superevent's JSON. Raises UnreadableAnswer."""
    record = answer if isinstance(answer, Mapping) else {}
    given, created = record.get("superevent_id"), _parse_time(record.get("created"))
    superevent_id = parse_event_id(given)
    if superevent_id is None or created is None:
        raise UnreadableAnswer("GraceDB's answer holds no superevent.")
    labels = record.get("labels")
    names = labels if isinstance(labels, list) else []
    return SupereventRecord(superevent_id, created, frozenset(n for n in names if isinstance(n, str)), record)


def parse_superevent_list(answer: object) -> tuple[list[SupereventRecord], int, int]:
    """Parse a page of a search: (readable superevents, number on the page, number of all results).

    Raises UnreadableAnswer if it is not a page.
    """
    page = answer if isinstance(answer, Mapping) else {}
    found, total = page.get("superevents"), page.get("numRows")
    if not isinstance(found, list) or not isinstance(total, int):
        raise UnreadableAnswer("GraceDB's answer holds no list of superevents.")
    entries = []
    for one in found:
        try:
            entries.append(parse_superevent(one))
        except UnreadableAnswer:
            continue
    return entries, len(found), total


def parse_notice_list(answer: object) -> list[str]:
    """Return the notices' file names in order, from GraceDB's list of notices. Raises UnreadableAnswer."""
    notices = answer.get("notices") if isinstance(answer, Mapping) else None
    if not isinstance(notices, list):
        raise UnreadableAnswer("GraceDB's answer holds no list of notices.")
    names = [one.get("filename") for one in notices if isinstance(one, Mapping)]
    return [name for name in names if isinstance(name, str)][-MAX_NOTICES:]


def notice_file_names(superevent_id: str, files: object) -> list[str]:
    """Return the names of the notices in a list of files, `<id>-*.json`, in order.

    Each version is a notice of its own: `S230528ay-preliminary.json,0` and `,1` are the first and the second
    PRELIMINARY.
    """
    like = re.compile(rf"{re.escape(superevent_id)}-[\w-]+\.json")
    versions = [v for v in _file_versions(files) if like.fullmatch(v[0])]

    def stage(version: tuple[str, int]) -> tuple[int, str, int]:
        kind = version[0].removeprefix(f"{superevent_id}-").removesuffix(".json").upper()
        return (ALERT_TYPES.index(kind) if kind in ALERT_TYPES else -1), *version

    return [_versioned_name(version) for version in sorted(versions, key=stage)][-MAX_NOTICES:]


def maps_newest_first(
    files: object, uploaded: Mapping[str, datetime], *, combined: bool = False
) -> list[str]:
    """Return the names of the multi-order maps, the newest first; `combined`: those of the coincidence."""

    def age(version: tuple[str, int]) -> tuple[object, ...]:
        when = uploaded.get(_versioned_name(version)) or uploaded.get(version[0])
        return (
            when is not None,
            when or datetime.min.replace(tzinfo=UTC),
            _program_rank(version[0]),
            version[1],
        )

    maps = [
        version
        for version in _file_versions(files)
        if version[0].endswith(MAP_SUFFIX) and version[0].casefold().startswith(COMBINED_PREFIX) is combined
    ]
    return [_versioned_name(version) for version in sorted(maps, key=age, reverse=True)]


def preferred_json_file(
    kind: str, files: object, pipeline: str, uploaded: Mapping[str, datetime]
) -> str | None:
    """Return the name of the `p_astro.json` (or another kind) to use, None if there is none.

    Since O4 each pipeline has its own, `<pipeline>.p_astro.json`: the preferred pipeline's is used, or else
    the newest.
    """
    found = [v for v in _file_versions(files) if v[0] == kind or v[0].endswith(f".{kind}")]
    if not found:
        return None

    def rank(version: tuple[str, int]) -> tuple[object, ...]:
        own = version[0].casefold() == f"{pipeline}.{kind}".casefold()
        when = uploaded.get(_versioned_name(version))
        return own, version[0] == kind, when or datetime.min.replace(tzinfo=UTC), version[1]

    return _versioned_name(max(found, key=rank))


def parse_label_times(answer: object) -> dict[str, datetime]:
    """Return label -> the time it was set, from GraceDB's list of labels; unreadable entries are skipped."""
    labels = answer.get("labels") if isinstance(answer, Mapping) else None
    return {
        one["name"]: when
        for one in (labels if isinstance(labels, list) else [])
        if isinstance(one, Mapping)
        and isinstance(one.get("name"), str)
        and (when := _parse_time(one.get("created"))) is not None
    }


def parse_upload_times(answer: object) -> dict[str, datetime]:
    """Return file "name,version" -> upload time, from GraceDB's log; unreadable entries are skipped."""
    entries = answer.get("log") if isinstance(answer, Mapping) else None
    times = {}
    for one in entries if isinstance(entries, list) else []:
        name, version = _as_mapping(one).get("filename"), _as_mapping(one).get("file_version")
        when = _parse_time(_as_mapping(one).get("created"))
        if isinstance(name, str) and name and when is not None:
            times[_versioned_name((name, version if isinstance(version, int) else -1))] = when
    return times


def preferred_pipeline(entry: SupereventRecord) -> str:
    """Return the name of the preferred event's pipeline, empty if GraceDB gives none."""
    name = _as_mapping(entry.raw.get("preferred_event_data")).get("pipeline")
    return name if isinstance(name, str) else ""


def build_payloads(entry: SupereventRecord, page: str, parts: SupereventFiles) -> list[bytes]:
    """Assemble payloads like notices: the superevent's state and, if it was retracted, the retraction.

    Raises UnreadableAnswer if the superevent has no time.
    """
    state_at = _state_time(entry, parts)
    payloads = [_build_payload(entry, page, GRACEDB, state_at, parts, _build_event(entry, parts))]
    if entry.retracted:
        payloads.append(build_retraction(entry, page, parts.label_times))
    return payloads


def build_retraction(
    entry: SupereventRecord, page: str, labelled: Mapping[str, datetime], notices: Sequence[bytes] = ()
) -> bytes:
    """Assemble a payload like a RETRACTION, with the time at which the event was retracted.

    If that is unknown, its time is after the last of the event's `notices`.
    """
    matches = (re.search(rb'"time_created"\s*:\s*"([^"]+)"', body) for body in notices)
    sent = [when for one in matches if one and (when := _parse_time(one[1].decode("ascii", "replace")))]
    at = _retraction_time(entry, labelled, sent).replace(microsecond=0) + _HALF_SECOND
    return _build_payload(entry, page, RETRACTION, at, SupereventFiles(label_times=labelled), None)


def is_retraction(body: bytes) -> bool:
    """Return whether a notice's JSON is a RETRACTION."""
    return re.search(rb'"alert_type"\s*:\s*"retraction"', body, re.IGNORECASE) is not None


def gps_to_utc(seconds: float) -> datetime:
    """Convert GPS seconds to UTC, with erfa's table of leap seconds."""
    whole, rest = divmod(seconds, 1)
    utc = erfa.taiutc(_GPS_EPOCH_JD, (whole + _TAI_MINUS_GPS_S) / _DAY_S)
    since = round((float(utc[0]) - _UNIX_EPOCH_JD + float(utc[1])) * _DAY_S)
    return datetime.fromtimestamp(since, UTC) + timedelta(seconds=rest)


def _retraction_time(
    entry: SupereventRecord, labelled: Mapping[str, datetime], sent: Iterable[datetime] = ()
) -> datetime:
    return labelled.get(RETRACTED_LABEL, max([entry.created, *sent]) + timedelta(seconds=1))


def _state_time(entry: SupereventRecord, parts: SupereventFiles) -> datetime:
    """Return the time of the newest file or label, but a time before the retraction if there is one."""
    times = [entry.created]
    times += [when for name, when in parts.label_times.items() if name != RETRACTED_LABEL]
    times += [when for name in parts.file_names if (when := parts.upload_times.get(name)) is not None]
    at = max(times)
    if entry.retracted:
        at = min(at, _retraction_time(entry, parts.label_times) - timedelta(seconds=1))
    return at.replace(microsecond=0) + _HALF_SECOND


def _build_payload(
    entry: SupereventRecord,
    page: str,
    alert_type: str,
    at: datetime,
    parts: SupereventFiles,
    event: dict[str, Any] | None,
) -> bytes:
    record = {
        "superevent_id": entry.superevent_id,
        "alert_type": alert_type,
        "time_created": _format_utc(at),
        "urls": {"gracedb": page},
        "event": event,
        "external_coinc": None if event is None else _build_coincidence(entry, parts),
        "labels": sorted(entry.labels),
        "gw_id": entry.raw.get("gw_id"),
        ASSEMBLED_FROM: ["superevent", *parts.file_names],
        # A payload needs a time even if GraceDB gives none; then that time is not shown.
        "dated": event is not None or RETRACTED_LABEL in parts.label_times,
    }
    return json.dumps(record).encode()


def _build_event(entry: SupereventRecord, parts: SupereventFiles) -> dict[str, Any]:
    preferred = _as_mapping(entry.raw.get("preferred_event_data"))
    time = next(
        (t for t in (entry.raw.get("t_0"), preferred.get("gpstime")) if isinstance(t, int | float)), None
    )
    if time is None or not 0 < time < 4e9:
        raise UnreadableAnswer(f"GraceDB's {entry.superevent_id} has no time.")
    burst = _burst_attributes(preferred)
    return {
        "time": _format_utc(gps_to_utc(time)),
        "far": entry.raw.get("far"),
        "significant": entry.significant,
        "instruments": _parse_instruments(preferred.get("instruments")),
        "group": preferred.get("group") or "",
        "pipeline": preferred.get("pipeline") or "",
        "search": preferred.get("search") or "",
        "classification": dict(parts.p_astro or {}),
        "properties": dict(parts.em_bright or {}),
        "duration": burst.get("duration"),
        "central_frequency": burst.get("central_freq"),
        "mchirp_source": parts.mchirp_source,
        "skymap": _base64_text(parts.skymap),
    }


def _burst_attributes(preferred: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the measurements of a burst search: MultiBurst of cWB, MLyBurst of MLy."""
    attributes = _as_mapping(preferred.get("extra_attributes"))
    return next((_as_mapping(attributes[n]) for n in attributes if "burst" in n.casefold()), {})


def _build_coincidence(entry: SupereventRecord, parts: SupereventFiles) -> dict[str, Any] | None:
    # The external event, which names the observatory, is not public.
    by_time, by_both = entry.raw.get("time_coinc_far"), entry.raw.get("space_coinc_far")
    if not entry.labels & _COINCIDENCE_LABELS or (by_time is None and by_both is None):
        return None
    return {
        "observatory": "",
        "search": "",
        "time_coincidence_far": by_time,
        "time_sky_position_coincidence_far": by_both,
        "combined_skymap": _base64_text(parts.combined_skymap),
    }


def _parse_instruments(given: object) -> list[str]:
    # "H1,L1"; MLy once wrote "['H1', 'L1', 'V1']".
    return sorted(set(re.findall(r"[A-Z]\d", given))) if isinstance(given, str) else []


def _file_versions(files: object) -> set[tuple[str, int]]:
    """Return a list's files as (name, version); version -1 if only the bare name, the newest, is listed."""
    names = [name for name in files if isinstance(name, str)] if isinstance(files, Mapping) else []
    split = {_split_version(name) for name in names}
    numbered = {name for name, version in split if version >= 0}
    return {(name, version) for name, version in split if version >= 0 or name not in numbered}


def _split_version(name: str) -> tuple[str, int]:
    base, _, version = name.rpartition(",")
    numbered = base and version.isascii() and version.isdigit() and len(version) <= _MAX_VERSION_DIGITS
    return (base, int(version)) if numbered else (name, -1)


def _versioned_name(version: tuple[str, int]) -> str:
    return version[0] if version[1] < 0 else f"{version[0]},{version[1]}"


def _program_rank(name: str) -> int:
    known: Iterable[int] = (
        rank for rank, start in enumerate(_MAP_PROGRAMS) if start and name.casefold().startswith(start)
    )
    return max(known, default=_MAP_PROGRAMS.index(""))


def _base64_text(fits: bytes | None) -> str | None:
    return None if fits is None else base64.b64encode(fits).decode()


def _format_utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parse_time(given: object) -> datetime | None:
    """Parse "2023-04-13 19:53:35 UTC", with or without a fraction, or ISO 8601; None if it is neither."""
    if not isinstance(given, str):
        return None
    try:
        read = datetime.fromisoformat(given.strip().removesuffix("UTC").strip())
        read = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # Near datetime's limits, adding or subtracting a second could overflow.
    return read if 1900 < read.year < 9000 else None


def _as_mapping(given: object) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}
