"""The published circulars and notices of GCN in the shared folder, each with its topic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.sources.base import Origin
from formatters.models.related_message import Stream
from tests.support.shared_data import NO_MESSAGES

TOPICS = {
    "boom.alert": "gcn.notices.boom.alert",
    "chime.frb.detection": "gcn.notices.chime.frb",
    "chime.frb.retraction": "gcn.notices.chime.frb",
    "einstein_probe.wxt.alert": "gcn.notices.einstein_probe.wxt.alert",
    "fermi.gbm.trigger.flight1": "gcn.notices.fermi.gbm.trigger",
    "fermi.gbm.trigger.ground2": "gcn.notices.fermi.gbm.trigger",
    "icecube.lvk_nu_track_search": "gcn.notices.icecube.lvk_nu_track_search",
    "icecube.single_neutrino_alerts.gold_bronze_track_alerts": "gcn.notices.icecube.gold_bronze_track_alerts",
    "svom.eclairs.trigger.slewing": "gcn.notices.svom.eclairs",
    "svom.grm.trigger": "gcn.notices.svom.grm",
    "swift.bat.Guano": "gcn.notices.swift.bat.guano",
    "swift.bat.Guano.Retraction": "gcn.notices.swift.bat.guano",
}
STREAMS = {
    "gcn.circulars": Stream.CIRCULARS.value,
    "gcn.notices.boom.alert": Stream.BOOM.value,
    "gcn.notices.icecube.lvk_nu_track_search": Stream.ICECUBE.value,
    "gcn.notices.swift.bat.guano": Stream.GUANO.value,
}
"""What a topic brings; the others bring alerts that name no event."""


@dataclass(frozen=True)
class Published:
    """A published message and its topic."""

    name: str
    topic: str
    body: bytes

    @property
    def origin(self) -> Origin:
        """Return where it comes from in a test without a broker."""
        stream = STREAMS.get(self.topic, Stream.NEARBY.value)
        return Origin("hopskotch", self.topic, live=True, stream=stream)


def read_published(shared_notices: Path) -> list[Published]:
    """Return all messages of the folder, circulars first; skip the test where it is missing."""
    folder = shared_notices.parent / "gcn"
    if not folder.is_dir():
        pytest.skip(NO_MESSAGES)
    circulars = sorted((folder / "circulars").glob("*.json"))
    notices = sorted((folder / "notices").glob("*.json"))
    assert (len(circulars), len(notices)) == (54, 12)
    return [
        *(Published(path.stem, "gcn.circulars", path.read_bytes()) for path in circulars),
        *(Published(path.stem, TOPICS[path.stem], path.read_bytes()) for path in notices),
    ]
