"""The notices and maps that are mutated: real ones where they are at hand, and made ones."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.samples import Record, edge_cases, event, mock, notice, retracted, to_avro, to_json

SHARED_NOTICES = Path(__file__).resolve().parents[2].parent / "shared" / "notices"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SeedCorpus:
    """What mutations begin with; each tuple in a fixed order, so that a seed says all."""

    payloads: tuple[bytes, ...]
    """Avro and JSON."""
    records: tuple[dict[str, Any], ...]
    """Notices as JSON values."""
    maps: tuple[bytes, ...]
    """FITS files."""


def synthetic_corpus() -> SeedCorpus:
    """Notices and maps by formula alone."""
    small = edge_cases.few_rows()
    records = (
        notice_with_map(small),
        notice_with_map(None),
        retracted(NOW)[-1],
        edge_cases.form_of_2022(NOW),
        mock(NOW)[0],
    )
    as_json = tuple(to_json(record) for record in records)
    as_avro = tuple(to_avro(records[n], codec=codec) for n in (0, 2, 4) for codec in ("null", "deflate"))
    maps = (
        small,
        edge_cases.two_columns(),
        edge_cases.uint64_uniq(),
        edge_cases.infinite_distmu(),
        gzip.compress(small, mtime=0),
    )
    return SeedCorpus(as_json + as_avro, tuple(json.loads(body) for body in as_json), maps)


def published_corpus(shared: Path = SHARED_NOTICES) -> SeedCorpus:
    """Those of the folder of published notices; empty where it is missing."""
    files = sorted(path for path in shared.glob("*/*") if path.parent.name != "gracedb")
    payloads = tuple(path.read_bytes() for path in files)
    records = tuple(json.loads(body) for body in payloads if body.startswith(b"{"))
    maps = {base64.b64decode((record["event"] or {}).get("skymap") or "") for record in records}
    return SeedCorpus(payloads, records, tuple(sorted(maps - {b""})))


def notice_with_map(skymap: bytes | None) -> Record:
    """A sound notice with this map."""
    known = event(NOW, far=1e-9, classification={"BNS": 0.9, "Terrestrial": 0.1}, skymap=skymap)
    return notice("S260102ab", "PRELIMINARY", NOW, event=known)
