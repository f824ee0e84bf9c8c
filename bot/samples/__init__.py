"""Notices made by formula, for the demo, the tests and the benchmarks."""

from bot.samples.events import (
    MS181101AB_PEAK,
    bbh,
    bns,
    burst,
    cwb_bbh,
    every_event,
    low_significance,
    mock,
    ms181101ab,
    one_detector,
    retracted,
    ssm,
    ssm_coincidence,
    superevent_id,
)
from bot.samples.records import Record, coincidence, event, notice, to_avro, to_json, when, without_maps
from bot.samples.skymaps import Lobe, ring, sky_map, streak
from bot.samples.story import SampleNotice, file_names, story, write_samples

__all__ = [
    "MS181101AB_PEAK",
    "Lobe",
    "Record",
    "SampleNotice",
    "bbh",
    "bns",
    "burst",
    "coincidence",
    "cwb_bbh",
    "event",
    "every_event",
    "file_names",
    "low_significance",
    "mock",
    "ms181101ab",
    "notice",
    "one_detector",
    "retracted",
    "ring",
    "sky_map",
    "ssm",
    "ssm_coincidence",
    "story",
    "streak",
    "superevent_id",
    "to_avro",
    "to_json",
    "when",
    "without_maps",
    "write_samples",
]
