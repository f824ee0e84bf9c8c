"""Sample events of rarer kinds: sub-solar masses, low significance, a retraction, one detector."""

from __future__ import annotations

from datetime import datetime

from bot.samples.event_records import Notices, chirp_mass_bins, superevent_id, time_of_event, time_of_notice
from bot.samples.records import Record, coincidence, event, notice
from bot.samples.skymaps import Lobe, Sky, offset_position, ring, sky_map
from formatters.models.notice import PRELIMINARY, RETRACTION


def _ssm_event(time: datetime, name: str, sky: Sky, far: float) -> Record:
    return event(
        time,
        far=far,
        instruments=("H1", "L1"),
        pipeline="MBTA",
        search="SSM",
        properties={"HasNS": 0.881, "HasMassGap": 0.119, "HasSSM": 0.9994},
        mchirp_source=chirp_mass_bins(b0=0.86, b1=0.14),
        skymap=sky_map(
            sky,
            superevent_id=name,
            time=time,
            distance=(112.0, 31.0),
            instruments=("H1", "L1"),
            log_bci=2.1,
            log_bsn=33.6,
        ),
    )


def ssm(now: datetime) -> Notices:
    """Return a sub-solar-mass candidate that is significant by itself: no class probabilities."""
    time = time_of_event(now, 14, 118000)
    name = superevent_id(time, "s")
    sky = ring(30, 5, radius=55, width=3.2, brightest=160, contrast=3)
    facts = _ssm_event(time, name, sky, far=7.4e-9)
    return (notice(name, PRELIMINARY, time_of_notice(time, 62), event=facts),)


def ssm_coincidence(now: datetime) -> Notices:
    """Return a sub-solar-mass candidate that is significant only through a coincidence.

    The gravitational-wave candidate alone has a FAR of once in 9 hours; its map and the combined one barely
    overlap.
    """
    time = time_of_event(now, 8, 905000)
    name = superevent_id(time, "v")
    pole = (205.0, -38.0)
    sky = ring(*pole, radius=66, width=3.4, brightest=20, contrast=3)
    facts = _ssm_event(time, name, sky, far=3.0e-5)
    combined = sky_map(
        sky,
        superevent_id=name,
        time=time,
        distance=(108.0, 30.0),
        instruments=("H1", "L1"),
        external_sky=[Lobe(*offset_position(*pole, 20, 96), 1.0, 4.0)],
        external_observatory="Swift",
        log_bci=2.1,
        log_bsn=33.6,
    )
    swift = coincidence(
        observatory="Swift",
        search="SubGRBTargeted",
        gcn_notice_id=774521003,
        ivorn=f"ivo://lvk.internal/swift#targeted_subthreshold-{time:%Y-%m-%dT%H:%M:%S}.172Z",
        time_difference=1.27,
        time_coincidence_far=1.494e-10,
        time_sky_position_coincidence_far=1.242e-10,
        combined_skymap=combined,
    )
    return (notice(name, PRELIMINARY, time_of_notice(time, 71), event=facts, external_coinc=swift),)


def cwb_bbh(now: datetime) -> Notices:
    """Return a candidate of cWB's BBH search: published as CBC, with class, duration and frequency."""
    time = time_of_event(now, 12, 233000)
    name = superevent_id(time, "t")
    facts = event(
        time,
        far=4.4e-9,
        instruments=("H1", "L1"),
        pipeline="CWB",
        search="BBH",
        classification={"BNS": 0.0, "NSBH": 0.0, "BBH": 0.971, "Terrestrial": 0.029},
        properties={"HasNS": 0.0, "HasRemnant": 0.0, "HasMassGap": 0.0},
        duration=0.031,
        central_frequency=92.4,
        skymap=sky_map(
            ring(318, 21, radius=40, width=3, brightest=75, contrast=3),
            superevent_id=name,
            time=time,
            instruments=("H1", "L1"),
            creator="cWB",
            runtime=None,
        ),
    )
    return (notice(name, PRELIMINARY, time_of_notice(time, 58), event=facts),)


def low_significance(now: datetime) -> Notices:
    """Return a candidate below the alert threshold: two preliminaries and no further notice."""
    time = time_of_event(now, 20, 517000)
    name = superevent_id(time, "p")
    facts = event(
        time,
        far=6.1e-6,
        significant=False,
        instruments=("H1", "L1"),
        pipeline="spiir",
        classification={"BNS": 0.021, "NSBH": 0.034, "BBH": 0.112, "Terrestrial": 0.833},
        properties={"HasNS": 0.34, "HasRemnant": 0.11, "HasMassGap": 0.22, "HasSSM": 0.0},
        skymap=sky_map(
            ring(75, 60, radius=80, width=6, brightest=250, contrast=1.2),
            superevent_id=name,
            time=time,
            distance=(830, 290),
            instruments=("H1", "L1"),
            log_bci=-0.7,
            log_bsn=19.8,
        ),
    )
    return (
        notice(name, PRELIMINARY, time_of_notice(time, 44), event=facts),
        notice(name, PRELIMINARY, time_of_notice(time, 314), event=facts),
    )


def retracted(now: datetime) -> Notices:
    """Return a neutron star–black hole candidate of one detector that was retracted."""
    time = time_of_event(now, 10, 339000)
    name = superevent_id(time, "u")
    facts = event(
        time,
        far=1.9e-8,
        instruments=("L1",),
        classification={"BNS": 0.08, "NSBH": 0.61, "BBH": 0.02, "Terrestrial": 0.29},
        properties={"HasNS": 1.0, "HasRemnant": 0.57, "HasMassGap": 0.18, "HasSSM": 0.0},
        skymap=_one_detector_map(name, time, (164, 52)),
    )
    return (
        notice(name, PRELIMINARY, time_of_notice(time, 33), event=facts),
        notice(name, RETRACTION, time_of_notice(time, 390)),
    )


def one_detector(now: datetime) -> Notices:
    """Return a binary black hole detected by Livingston alone, whose sky map covers half the sky."""
    time = time_of_event(now, 15, 135000)
    name = superevent_id(time, "r")
    facts = event(
        time,
        far=1.04e-8,
        instruments=("L1",),
        classification={"BNS": 0.0, "NSBH": 0.0, "BBH": 0.9997, "Terrestrial": 0.0003},
        properties={"HasNS": 0.0, "HasRemnant": 0.0, "HasMassGap": 0.0007},
        skymap=_one_detector_map(name, time, (294, 31), distance=(3102, 1032)),
    )
    return (
        notice(name, PRELIMINARY, time_of_notice(time, 29), event=facts),
        notice(name, PRELIMINARY, time_of_notice(time, 299), event=facts),
    )


def _one_detector_map(
    name: str, time: datetime, where: tuple[float, float], distance: tuple[float, float] = (231, 84)
) -> bytes:
    # the antenna pattern of a detector has two lobes, above and below it
    ra, dec = where
    sky = (Lobe(ra, dec, 0.52, 27.0), Lobe((ra + 180) % 360, -dec, 0.48, 27.0))
    return sky_map(
        sky,
        superevent_id=name,
        time=time,
        distance=distance,
        nearer_at_peak=0.2,
        instruments=("L1",),
        log_bci=0.0,
        log_bsn=24.2,
    )
