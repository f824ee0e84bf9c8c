"""Synthetic notices for the demo, the tests and the benchmarks."""

from bot.samples.demo_messages import (
    CIRCULARS_TOPIC,
    DEMO_MESSAGE_TOPICS,
    SampleMessage,
    create_demo_messages,
)
from bot.samples.demo_notices import (
    DEMO_CRITERIA_SET,
    DEMO_GRADES,
    SampleNotice,
    create_demo_notices,
    file_names,
    write_samples,
)
from bot.samples.event_records import superevent_id
from bot.samples.events import MS181101AB_PEAK, all_sample_events, bbh, bns, burst, mock, ms181101ab
from bot.samples.messages import (
    SampleDetection,
    SampleNeutrino,
    boom,
    circular,
    guano,
    hermes,
    neutrino_search,
)
from bot.samples.rare_events import cwb_bbh, low_significance, one_detector, retracted, ssm, ssm_coincidence
from bot.samples.records import (
    Record,
    coincidence,
    event,
    format_time,
    notice,
    to_avro,
    to_json,
    without_maps,
)
from bot.samples.skymaps import Lobe, ring, sky_map, streak

__all__ = [
    "CIRCULARS_TOPIC",
    "DEMO_CRITERIA_SET",
    "DEMO_GRADES",
    "DEMO_MESSAGE_TOPICS",
    "MS181101AB_PEAK",
    "Lobe",
    "Record",
    "SampleDetection",
    "SampleMessage",
    "SampleNeutrino",
    "SampleNotice",
    "all_sample_events",
    "bbh",
    "bns",
    "boom",
    "burst",
    "circular",
    "coincidence",
    "create_demo_messages",
    "create_demo_notices",
    "cwb_bbh",
    "event",
    "file_names",
    "format_time",
    "guano",
    "hermes",
    "low_significance",
    "mock",
    "ms181101ab",
    "neutrino_search",
    "notice",
    "one_detector",
    "retracted",
    "ring",
    "sky_map",
    "ssm",
    "ssm_coincidence",
    "streak",
    "superevent_id",
    "to_avro",
    "to_json",
    "without_maps",
    "write_samples",
]
