"""The notices that the demo publishes, which can also be written to files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.samples.events import all_sample_events, bbh, bns, burst, ms181101ab
from bot.samples.rare_events import retracted, ssm_coincidence
from bot.samples.records import Record, to_avro, to_json
from formatters.models.notice import EARLYWARNING, RETRACTION

DEMO_CRITERIA_SET = "ntt-kilonova"
"""The name of the demo workspace's own criteria set."""
DEMO_GRADES = "Gold: NS distance<150 area90<60; Silver: NS distance<150 area90<1000; Bronze: NS"
"""Its grades: the binary neutron star rises from Bronze by Silver to Gold as its sky map shrinks, and the
candidate that is retracted loses its Bronze."""


@dataclass(frozen=True, slots=True)
class SampleNotice:
    """A notice of the demo's story."""

    name: str
    """A unique name that can serve as a file name, for example MS181101ab-preliminary."""
    record: Record
    """The record, as `to_avro` and `to_json` accept it."""
    pause_s: float
    """Seconds to wait before publishing the notice when the story is played slowly."""


def create_demo_notices(now: datetime) -> list[SampleNotice]:
    """Return the demo's notices in the order of publishing, which is the order of `time_created`.

    A mock (MS181101ab), a binary neutron star from early warning to update with a gamma-ray burst, a binary
    black hole, a burst, a sub-solar-mass candidate that is significant only through a coincidence, and a
    candidate that is retracted. `now` is aware, UTC; all notices lie within the 30 minutes before it.
    """
    lasting = [r for r in ms181101ab(now) if r["alert_type"] not in (EARLYWARNING, RETRACTION)]
    single = burst(now)[:1]
    black_holes = bbh(now)
    records = [
        *lasting,
        *bns(now),
        black_holes[0],
        black_holes[-1],
        *single,
        *ssm_coincidence(now),
        *retracted(now),
    ]
    records.sort(key=lambda record: str(record["time_created"]))
    return [
        SampleNotice(name, record, pause_s=2.0 if index == 0 else 3.0)
        for index, (name, record) in enumerate(zip(file_names(records), records, strict=True))
    ]


def file_names(records: list[Record]) -> list[str]:
    """Return names like MS181101ab-preliminary; further notices of the same type have 2, 3, … appended."""
    seen: Counter[str] = Counter()
    names = []
    for record in records:
        name = f"{record['superevent_id']}-{record['alert_type'].lower()}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}{seen[name]}")
    return names


def write_samples(directory: Path, now: datetime) -> list[Path]:
    """Write every event's notices into `directory`, as Avro and as JSON, and return the paths.

    Creates the directory if it does not exist. Raises OSError if writing fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for notices in all_sample_events(now).values():
        records = list(notices)
        for name, record in zip(file_names(records), records, strict=True):
            for suffix, write in ((".avro", to_avro), (".json", to_json)):
                path = directory / (name + suffix)
                path.write_bytes(write(record))
                paths.append(path)
    return paths
