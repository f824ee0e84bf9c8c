"""Sample events made by formula, each with all its notices in order of time.

Every function takes `now` (aware, UTC) and places its event some minutes before it, so that no notice is
old and none is in the future. The id has the date of the event's time, except for MS181101ab, which keeps the
id that it has in LVK's user guide.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.samples.event_records import Notices, chirp_mass_bins, superevent_id, time_of_event, time_of_notice
from bot.samples.rare_events import cwb_bbh, low_significance, one_detector, retracted, ssm, ssm_coincidence
from bot.samples.records import Record, coincidence, event, notice
from bot.samples.skymaps import Lobe, Sky, offset_position, ring, sky_map, streak
from formatters.models.notice import EARLYWARNING, INITIAL, PRELIMINARY, RETRACTION, UPDATE

MS181101AB_PEAK = (194.30419921874997, -17.856895095545468)
"""Centre (RA, Dec; degrees) of the order 11 tile with UNIQ 42318942, as the user guide's code computes it."""

_RING_POLE, _RING_BEARING, _RING_RADIUS = (176.0, 8.0), 58.0, 74.0
_RING_PLACE = offset_position(*_RING_POLE, _RING_BEARING, _RING_RADIUS)
BNS_PLACE = offset_position(*_RING_PLACE, 115, 1.2)
"""Centre of the last sky map of `bns`, degrees."""
BNS_RING_PLACE = offset_position(*_RING_POLE, _RING_BEARING + 5, _RING_RADIUS)
"""A place (RA, Dec; degrees) in the 90 % region of the automatic sky maps of `bns` and not of the last."""
BURST_PLACE = offset_position(0, -12, 300, 75)
"""The densest place of the sky map of `burst`, degrees."""


def ms181101ab(now: datetime) -> Notices:
    """Return the user guide's example: early warning, preliminary ×2, initial, update (Fermi), retraction.

    The values are those of the published record; the sky map is a streak with its peak tile, areas and
    distance.
    """
    name = "MS181101ab"
    time = time_of_event(now, 29, 654437)
    page = {"gracedb": "https://example.org/superevents/MS181101ab/view/"}
    sky = streak(*MS181101AB_PEAK, bearing=30, length=2.94, width=0.662, weight=0.93)
    sky += streak(*MS181101AB_PEAK, bearing=30, length=5.2, width=1.19, weight=0.07)
    gw_map = sky_map(
        sky,
        superevent_id=name,
        time=time,
        distance=(39.76999609489013, 8.308435058808886),
        log_bci=13.64819688928804,
        log_bsn=261.0250944470225,
        runtime=3.24746292643249,
    )
    combined = sky_map(
        sky,
        superevent_id=name,
        time=time,
        distance=(39.92897772303614, 8.245380268290726),
        external_sky=[Lobe(*MS181101AB_PEAK, 1.0, 7.5)],
        external_observatory="Fermi",
        log_bci=13.64819688928804,
        log_bsn=261.0250944470225,
        runtime=3.24746292643249,
    )
    facts = event(
        time,
        far=9.11069936486e-14,
        search="MDC",
        classification={"BNS": 0.95, "NSBH": 0.01, "BBH": 0.03, "Terrestrial": 0.01},
        properties={"HasNS": 0.95, "HasRemnant": 0.91, "HasMassGap": 0.01},
        skymap=gw_map,
    )
    fermi = coincidence(
        observatory="Fermi",
        search="GRB",
        gcn_notice_id=524666471,
        ivorn="ivo://nasa.gsfc.gcn/Fermi#GBM_Fin_Pos2017-08-17T12:41:06.47_524666471_0-389",
        time_difference=2.02,
        time_coincidence_far=2.14387838137e-14,
        time_sky_position_coincidence_far=6.410749524018777e-16,
        combined_skymap=combined,
    )
    stages = (
        (EARLYWARNING, -20, None),
        (PRELIMINARY, 29, None),
        (PRELIMINARY, 299, None),
        (INITIAL, 600, None),
        (UPDATE, 900, fermi),
    )
    return (
        *(
            notice(
                name, stage, time_of_notice(time, seconds), event=facts, external_coinc=external, urls=page
            )
            for stage, seconds, external in stages
        ),
        notice(name, RETRACTION, time_of_notice(time, 1500), urls=page),
    )


def bns(now: datetime) -> Notices:
    """Return a binary neutron star from early warning to update.

    Two preliminaries, then a gamma-ray burst: preliminary, initial and update carry the coincidence.
    """
    time = time_of_event(now, 26, 412000)
    name = superevent_id(time, "k")
    page = f"https://gracedb.ligo.org/superevents/{name}/view/"
    files = f"https://gracedb.ligo.org/api/superevents/{name}/files/"
    # two detectors give a ring, a third one an arc of it and a second arc, parameter estimation a patch
    pole, bearing, radius, where = _RING_POLE, _RING_BEARING, _RING_RADIUS, _RING_PLACE
    early_sky = ring(*pole, radius=radius, width=4.5, brightest=bearing + 9, contrast=4)
    first_sky = ring(*pole, radius=radius, width=2.1, brightest=bearing, contrast=55, weight=0.8)
    first_sky += streak(81.9, -37.2, bearing=60, length=9, width=2.4, weight=0.2)
    final_sky = streak(*BNS_PLACE, bearing=115, length=3.1, width=1.1)
    burst = [Lobe(*offset_position(*where, 80, 3), 1.0, 4.2)]

    def map_of(sky: Sky, mean: float, std: float, *, combined: bool = False, sampled: bool = False) -> bytes:
        return sky_map(
            sky,
            superevent_id=name,
            time=time,
            distance=(mean, std),
            external_sky=burst if combined else None,
            external_observatory="Fermi" if combined else None,
            creator="ligo-skymap-from-samples" if sampled else "BAYESTAR",
            log_bci=None if sampled else 7.91,
            log_bsn=None if sampled else 148.3,
            runtime=None if sampled else 2.87,
        )

    def facts(skymap: bytes, **changed: object) -> Record:
        usual = event(
            time,
            far=3.87e-13,
            classification={"BNS": 0.967, "NSBH": 0.024, "BBH": 0.0, "Terrestrial": 0.009},
            properties={"HasNS": 1.0, "HasRemnant": 0.993, "HasMassGap": 0.021, "HasSSM": 0.004},
            mchirp_source=chirp_mass_bins(b4=0.08, b5=0.71, b6=0.17, b7=0.04),
            skymap=skymap,
        )
        return usual | changed

    def grb(combined: bytes) -> Record:
        return coincidence(
            observatory="Fermi",
            search="GRB",
            gcn_notice_id=801234567,
            ivorn=f"ivo://nasa.gsfc.gcn/Fermi#GBM_Gnd_Pos{time:%Y-%m-%dT%H:%M:%S}.00_801234567_57-431",
            time_difference=1.74,
            time_coincidence_far=8.3e-14,
            time_sky_position_coincidence_far=2.6e-15,
            combined_skymap=combined,
        )

    early = facts(
        sky_map(
            early_sky,
            superevent_id=name,
            time=time,
            distance=(71.0, 33.0),
            nearer_at_peak=0.6,
            instruments=("H1", "L1"),
            log_bci=1.6,
            log_bsn=52.7,
            runtime=1.94,
        ),
        far=2.9e-8,
        instruments=["H1", "L1"],
        search="EarlyWarning",
        classification={"BNS": 0.982, "NSBH": 0.0, "BBH": 0.0, "Terrestrial": 0.018},
        mchirp_source=None,
    )
    automatic = facts(map_of(first_sky, 58.4, 14.1))
    first_grb = grb(map_of(first_sky, 57.2, 13.2, combined=True))
    vetted = facts(map_of(first_sky, 56.1, 13.0))
    final = facts(
        map_of(final_sky, 54.6, 8.9, sampled=True),
        properties={"HasNS": 1.0, "HasRemnant": 1.0, "HasMassGap": 0.0, "HasSSM": 0.001},
    )
    final_grb = grb(map_of(final_sky, 54.5, 8.6, combined=True, sampled=True))

    def links(file: str, combined: str | None = None) -> dict[str, str]:
        urls = {"gracedb": page, "skymap": files + file}
        return urls if combined is None else urls | {"combined_skymap": files + combined}

    first, second, joint = (
        "bayestar.multiorder.fits,0",
        "bayestar.multiorder.fits,1",
        "combined-ext.multiorder.fits,0",
    )
    sampled_map, sampled_joint = "Bilby.multiorder.fits,0", "combined-ext.multiorder.fits,1"
    return (
        notice(name, EARLYWARNING, time_of_notice(time, -12), event=early, urls=links(first)),
        notice(name, PRELIMINARY, time_of_notice(time, 27), event=automatic, urls=links(second)),
        notice(name, PRELIMINARY, time_of_notice(time, 297), event=automatic, urls=links(second)),
        notice(
            name,
            PRELIMINARY,
            time_of_notice(time, 351),
            event=automatic,
            external_coinc=first_grb,
            urls=links(second, joint),
        ),
        notice(
            name,
            INITIAL,
            time_of_notice(time, 840),
            event=vetted,
            external_coinc=first_grb,
            urls=links(second, joint),
        ),
        notice(
            name,
            UPDATE,
            time_of_notice(time, 1390),
            event=final,
            external_coinc=final_grb,
            urls=links(sampled_map, sampled_joint),
        ),
    )


def bbh(now: datetime) -> Notices:
    """Return a binary black hole: preliminary ×2, then an initial whose area is much smaller."""
    time = time_of_event(now, 23, 801000)
    name = superevent_id(time, "m")
    classification = {"BNS": 0.0, "NSBH": 0.006, "BBH": 0.9932, "Terrestrial": 0.0008}
    properties = {"HasNS": 0.004, "HasRemnant": 0.0, "HasMassGap": 0.031, "HasSSM": 0.0}
    wide = ring(148, 33, radius=48, width=3.5, brightest=205, contrast=2.6)
    narrow = streak(*offset_position(148, 33, 201, 48), bearing=110, length=11, width=2.2)

    def facts(sky: Sky, mean: float, std: float, far: float, instruments: tuple[str, ...]) -> Record:
        skymap = sky_map(
            sky,
            superevent_id=name,
            time=time,
            distance=(mean, std),
            instruments=instruments,
            log_bci=5.2,
            log_bsn=71.4,
        )
        return event(
            time,
            far=far,
            instruments=instruments,
            pipeline="pycbc",
            classification=classification,
            properties=properties,
            mchirp_source=chirp_mass_bins(b15=0.87, b16=0.13),
            skymap=skymap,
        )

    automatic = facts(wide, 1420, 410, 5.6e-10, ("H1", "L1"))
    vetted = facts(narrow, 1290, 270, 2.3e-11, ("H1", "L1", "V1"))
    return (
        notice(name, PRELIMINARY, time_of_notice(time, 31), event=automatic),
        notice(name, PRELIMINARY, time_of_notice(time, 301), event=automatic),
        notice(name, INITIAL, time_of_notice(time, 780), event=vetted),
    )


def burst(now: datetime) -> Notices:
    """Return an unmodelled transient of 487 Hz and 1.4 ms: no class, no properties, no distance."""
    time = time_of_event(now, 17, 672000)
    name = superevent_id(time, "q")
    sky = ring(0, -12, radius=75, width=2.5, brightest=300, contrast=4)
    sky_file = sky_map(
        sky,
        superevent_id=name,
        time=time,
        instruments=("H1", "L1"),
        creator="cWB",
        runtime=None,
    )
    facts = event(
        time,
        far=1.31e-9,
        instruments=("H1", "L1"),
        group="Burst",
        pipeline="CWB",
        duration=0.0013956958745169087,
        central_frequency=487.32952931440246,
        skymap=sky_file,
    )
    return (
        notice(name, PRELIMINARY, time_of_notice(time, 55), event=facts),
        notice(name, PRELIMINARY, time_of_notice(time, 325), event=facts),
    )


def mock(now: datetime) -> Notices:
    """Return an hourly mock: preliminary ×2, initial; with the simulated GRB that every second mock has."""
    time = time_of_event(now, 18, 28000)
    name = superevent_id(time, "d", "M")
    where = (96.2, -44.5)
    sky = streak(*where, bearing=140, length=11, width=4)
    skymap = sky_map(
        sky,
        superevent_id=name,
        time=time,
        distance=(102.6, 24.8),
        instruments=("H1", "L1"),
        log_bci=4.4,
        log_bsn=58.0,
    )
    combined = sky_map(
        sky,
        superevent_id=name,
        time=time,
        distance=(104.1, 24.7),
        instruments=("H1", "L1"),
        external_sky=[Lobe(*where, 1.0, 5.0)],
        external_observatory="Fermi",
        log_bci=4.4,
        log_bsn=58.0,
    )
    facts = event(
        time,
        far=9.110699364861297e-14,
        instruments=("H1", "L1"),
        search="MDC",
        classification={"BNS": 1.0, "NSBH": 0.0, "BBH": 0.0, "Terrestrial": 0.0},
        properties={"HasNS": 1.0, "HasRemnant": 1.0, "HasMassGap": 0.0},
        skymap=skymap,
    )
    grb = coincidence(
        observatory="Fermi",
        search="MDC",
        gcn_notice_id=1366458166,
        ivorn=f"ivo://lvk.internal/Fermi#MDC-test_event{time:%Y-%m-%dT%H:%M:%S}.386Z",
        time_difference=0.27,
        time_coincidence_far=5.373509899366442e-18,
        time_sky_position_coincidence_far=4.694975680182071e-17,
        combined_skymap=combined,
    )
    return tuple(
        notice(name, stage, time_of_notice(time, seconds), event=facts, external_coinc=grb)
        for stage, seconds in ((PRELIMINARY, 35), (PRELIMINARY, 305), (INITIAL, 640))
    )


SAMPLE_EVENTS: dict[str, Callable[[datetime], Notices]] = {
    make.__name__: make
    for make in (
        ms181101ab,
        bns,
        bbh,
        burst,
        ssm,
        ssm_coincidence,
        cwb_bbh,
        low_significance,
        retracted,
        mock,
        one_detector,
    )
}
"""What makes the notices of each sample event, by name."""


def all_sample_events(now: datetime) -> dict[str, Notices]:
    """Return all sample events by name."""
    return {name: make(now) for name, make in SAMPLE_EVENTS.items()}
