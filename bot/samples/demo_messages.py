"""Messages of the demo's story beside the notices: a gamma-ray burst, a neutrino search, two circulars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.samples.demo_notices import SampleNotice
from bot.samples.events import BNS_PLACE, BNS_RING_PLACE, BURST_PLACE
from bot.samples.messages import SampleNeutrino, circular, neutrino_search
from bot.samples.nearby import gbm_trigger
from bot.samples.records import Record
from bot.samples.skymaps import offset_position

CIRCULARS_TOPIC = "gcn.circulars"
ICECUBE_TOPIC = "gcn.notices.icecube.lvk_nu_track_search"
GBM_TOPIC = "gcn.notices.fermi.gbm.alert"
DEMO_MESSAGE_TOPICS = (CIRCULARS_TOPIC, ICECUBE_TOPIC, GBM_TOPIC)

PAUSE_S = 3.0


@dataclass(frozen=True, slots=True)
class SampleMessage:
    """A message of the demo's story that is no notice."""

    name: str
    topic: str
    superevent_id: str
    """The event that it names, or lies near."""
    body: bytes
    """The JSON that is published."""
    sent: datetime
    """When it is published, UTC."""
    pause_s: float
    """Seconds to wait before publishing it when the story is played slowly."""


def create_demo_messages(notices: Iterable[SampleNotice]) -> list[SampleMessage]:
    """Return the messages about the events of `create_demo_notices`, in the order of publishing.

    Fermi GBM triggers eight seconds after the unmodelled transient. IceCube has searched around the binary
    neutron star; a first circular lists two counterpart candidates, of which the last sky map leaves one
    outside its 90 % region, and a second circular has the redshift of the other's host.
    """
    records = [notice.record for notice in notices]
    stars, burst = _first_of(records, "k"), _first_of(records, "q")
    stars_id, burst_id = str(stars["superevent_id"]), str(burst["superevent_id"])
    merger, transient = _event_time(records, stars_id), _event_time(records, burst_id)
    trigger = transient + timedelta(seconds=8)
    place = offset_position(*BNS_PLACE, 70, 0.3)
    name, other = f"AT{merger:%Y}zzk", f"AT{merger:%Y}zzl"
    neutrino = SampleNeutrino(
        -14.2, *offset_position(*BNS_PLACE, 300, 0.8), radius=0.9, p_generic=0.012, p_bayesian=0.031
    )

    def after(seconds: float) -> datetime:
        return merger.replace(microsecond=0) + timedelta(seconds=seconds)

    searched = neutrino_search(
        stars_id,
        created=after(940),
        event_time=merger,
        neutrinos=(neutrino,),
        p_generic=0.014,
        p_bayesian=0.028,
        notice="5-Initial",
    )
    found = circular(
        stars_id,
        created=after(1100),
        number=45_641,
        title="Two optical counterpart candidates",
        submitter="A. Observer at Example Observatory",
        body=_candidates(stars_id, ((name, place, 19.42), (other, BNS_RING_PLACE, 20.17))),
    )
    confirmed = circular(
        stars_id,
        created=after(1450),
        number=45_644,
        title=f"{name}: redshift of the host galaxy",
        submitter="B. Observer at Example Observatory",
        body=_redshift(stars_id, name, place),
    )
    gbm = gbm_trigger(trigger, *offset_position(*BURST_PLACE, 40, 2), radius=5.0, delay_s=24)
    sent = (
        ("fermi-gbm", GBM_TOPIC, burst_id, gbm, trigger + timedelta(seconds=24)),
        ("icecube-search", ICECUBE_TOPIC, stars_id, searched, after(940)),
        ("circular-45641", CIRCULARS_TOPIC, stars_id, found, after(1100)),
        ("circular-45644", CIRCULARS_TOPIC, stars_id, confirmed, after(1450)),
    )
    messages = [SampleMessage(*fields, PAUSE_S) for fields in sent]
    return sorted(messages, key=lambda message: message.sent)


def _first_of(records: Iterable[Record], letters: str) -> Record:
    return next(record for record in records if str(record["superevent_id"]).endswith(letters))


def _event_time(records: Iterable[Record], superevent_id: str) -> datetime:
    record = next(r for r in records if r["superevent_id"] == superevent_id and r.get("event"))
    return datetime.fromisoformat(str(record["event"]["time"]))


def _candidates(event: str, rows: Iterable[tuple[str, tuple[float, float], float]]) -> str:
    lines = "\n".join(
        f"| {name} | {ra:.5f} | {dec:+.5f} | {magnitude:.2f} | r |" for name, (ra, dec), magnitude in rows
    )
    return (
        f"We observed the 90% credible region of {event} in r band and report two new transients without a\n"
        f"counterpart in earlier images:\n\n| Name | RA (deg) | Dec (deg) | Mag | Filter |\n"
        f"|------|----------|-----------|-----|--------|\n{lines}\n\nSpectroscopy is encouraged.\n"
    )


def _redshift(event: str, name: str, place: tuple[float, float]) -> str:
    ra, dec = place
    return (
        f"We took a spectrum of the galaxy closest to {name}, a candidate counterpart of {event}, at\n\n"
        f"RA(J2000) = {ra:.5f} deg, Dec(J2000) = {dec:+.5f} deg\n\n"
        "with a redshift of 0.0124 +/- 0.0002. The transient itself is blue and featureless.\n"
    )
