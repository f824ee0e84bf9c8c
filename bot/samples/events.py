"""Sample events made by formula, each with all its notices in order of time.

Every function takes `now` (aware, UTC) and places its event some minutes before it, so that no notice is
old and none is in the future. The id has the date of the event's time, except for MS181101ab, which keeps the
id that it has in LVK's user guide.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.samples.records import Record, coincidence, event, notice
from bot.samples.skymaps import Lobe, Sky, offset_position, ring, sky_map, streak
from formatters.models.notice import EARLYWARNING, INITIAL, PRELIMINARY, RETRACTION, UPDATE

Notices = tuple[Record, ...]

MS181101AB_PEAK = (194.30419921874997, -17.856895095545468)
"""Centre (RA, Dec; degrees) of the order 11 tile with UNIQ 42318942, as the user guide's code computes it."""

_CHIRP_MASS_EDGES = (0.1, 0.87, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 1.9, 2.1, 2.3, 3, 5.5, 11, 22, 44, 88, 1000)


def superevent_id(time: datetime, letters: str, prefix: str = "") -> str:
    """Return the id that GraceDB gives to an event at this time; `prefix` is M for a mock, T for a test."""
    return f"{prefix}S{time:%y%m%d}{letters}"


def _event_time(now: datetime, minutes: float, microsecond: int) -> datetime:
    return (now - timedelta(minutes=minutes)).replace(microsecond=microsecond)


def _notice_time(time: datetime, seconds: float) -> datetime:
    return time.replace(microsecond=0) + timedelta(seconds=seconds)


def _chirp_mass(**shares: float) -> dict[str, Sequence[float]]:
    """Return `mchirp_source`: b7=0.6 puts 60 % into the bin that starts at the edge of index 7."""
    probabilities = [0.0] * (len(_CHIRP_MASS_EDGES) - 1)
    for name, share in shares.items():
        probabilities[int(name[1:])] = share
    return {"bin_edges": _CHIRP_MASS_EDGES, "probabilities": probabilities}


def ms181101ab(now: datetime) -> Notices:
    """Return the user guide's example: early warning, preliminary ×2, initial, update (Fermi), retraction.

    The values are those of the published record; the sky map is a streak with its peak tile, areas and
    distance.
    """
    name = "MS181101ab"
    time = _event_time(now, 29, 654437)
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
            notice(name, stage, _notice_time(time, seconds), event=facts, external_coinc=external, urls=page)
            for stage, seconds, external in stages
        ),
        notice(name, RETRACTION, _notice_time(time, 1500), urls=page),
    )


def bns(now: datetime) -> Notices:
    """Return a binary neutron star from early warning to update.

    Two preliminaries, then a gamma-ray burst: preliminary, initial and update carry the coincidence.
    """
    time = _event_time(now, 26, 412000)
    name = superevent_id(time, "k")
    page = f"https://gracedb.ligo.org/superevents/{name}/view/"
    files = f"https://gracedb.ligo.org/api/superevents/{name}/files/"
    # two detectors give a ring, a third one an arc of it and a second arc, parameter estimation a patch
    pole, bearing, radius = (176.0, 8.0), 58.0, 74.0
    where = offset_position(*pole, bearing, radius)
    early_sky = ring(*pole, radius=radius, width=4.5, brightest=bearing + 9, contrast=4)
    first_sky = ring(*pole, radius=radius, width=2.1, brightest=bearing, contrast=55, weight=0.8)
    first_sky += streak(81.9, -37.2, bearing=60, length=9, width=2.4, weight=0.2)
    final_sky = streak(*offset_position(*where, 115, 1.2), bearing=115, length=3.1, width=1.1)
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
            mchirp_source=_chirp_mass(b4=0.08, b5=0.71, b6=0.17, b7=0.04),
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
        notice(name, EARLYWARNING, _notice_time(time, -12), event=early, urls=links(first)),
        notice(name, PRELIMINARY, _notice_time(time, 27), event=automatic, urls=links(second)),
        notice(name, PRELIMINARY, _notice_time(time, 297), event=automatic, urls=links(second)),
        notice(
            name,
            PRELIMINARY,
            _notice_time(time, 351),
            event=automatic,
            external_coinc=first_grb,
            urls=links(second, joint),
        ),
        notice(
            name,
            INITIAL,
            _notice_time(time, 840),
            event=vetted,
            external_coinc=first_grb,
            urls=links(second, joint),
        ),
        notice(
            name,
            UPDATE,
            _notice_time(time, 1390),
            event=final,
            external_coinc=final_grb,
            urls=links(sampled_map, sampled_joint),
        ),
    )


def bbh(now: datetime) -> Notices:
    """Return a binary black hole: preliminary ×2, then an initial whose area is much smaller."""
    time = _event_time(now, 23, 801000)
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
            mchirp_source=_chirp_mass(b15=0.87, b16=0.13),
            skymap=skymap,
        )

    automatic = facts(wide, 1420, 410, 5.6e-10, ("H1", "L1"))
    vetted = facts(narrow, 1290, 270, 2.3e-11, ("H1", "L1", "V1"))
    return (
        notice(name, PRELIMINARY, _notice_time(time, 31), event=automatic),
        notice(name, PRELIMINARY, _notice_time(time, 301), event=automatic),
        notice(name, INITIAL, _notice_time(time, 780), event=vetted),
    )


def burst(now: datetime) -> Notices:
    """Return an unmodelled transient of 487 Hz and 1.4 ms: no class, no properties, no distance."""
    time = _event_time(now, 17, 672000)
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
        notice(name, PRELIMINARY, _notice_time(time, 55), event=facts),
        notice(name, PRELIMINARY, _notice_time(time, 325), event=facts),
    )


def _ssm_event(time: datetime, name: str, sky: Sky, far: float) -> Record:
    return event(
        time,
        far=far,
        instruments=("H1", "L1"),
        pipeline="MBTA",
        search="SSM",
        properties={"HasNS": 0.881, "HasMassGap": 0.119, "HasSSM": 0.9994},
        mchirp_source=_chirp_mass(b0=0.86, b1=0.14),
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
    time = _event_time(now, 14, 118000)
    name = superevent_id(time, "s")
    sky = ring(30, 5, radius=55, width=3.2, brightest=160, contrast=3)
    facts = _ssm_event(time, name, sky, far=7.4e-9)
    return (notice(name, PRELIMINARY, _notice_time(time, 62), event=facts),)


def ssm_coincidence(now: datetime) -> Notices:
    """Return a sub-solar-mass candidate that is significant only through a coincidence.

    The gravitational-wave candidate alone has a FAR of once in 9 hours; its map and the combined one barely
    overlap.
    """
    time = _event_time(now, 8, 905000)
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
    return (notice(name, PRELIMINARY, _notice_time(time, 71), event=facts, external_coinc=swift),)


def cwb_bbh(now: datetime) -> Notices:
    """Return a candidate of cWB's BBH search: published as CBC, with class, duration and frequency."""
    time = _event_time(now, 12, 233000)
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
    return (notice(name, PRELIMINARY, _notice_time(time, 58), event=facts),)


def low_significance(now: datetime) -> Notices:
    """Return a candidate below the alert threshold: two preliminaries and no further notice."""
    time = _event_time(now, 20, 517000)
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
        notice(name, PRELIMINARY, _notice_time(time, 44), event=facts),
        notice(name, PRELIMINARY, _notice_time(time, 314), event=facts),
    )


def retracted(now: datetime) -> Notices:
    """Return a neutron star–black hole candidate of one detector that was retracted."""
    time = _event_time(now, 10, 339000)
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
        notice(name, PRELIMINARY, _notice_time(time, 33), event=facts),
        notice(name, RETRACTION, _notice_time(time, 390)),
    )


def mock(now: datetime) -> Notices:
    """Return an hourly mock: preliminary ×2, initial; with the simulated GRB that every second mock has."""
    time = _event_time(now, 18, 28000)
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
        notice(name, stage, _notice_time(time, seconds), event=facts, external_coinc=grb)
        for stage, seconds in ((PRELIMINARY, 35), (PRELIMINARY, 305), (INITIAL, 640))
    )


def one_detector(now: datetime) -> Notices:
    """Return a binary black hole detected by Livingston alone, whose sky map covers half the sky."""
    time = _event_time(now, 15, 135000)
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
        notice(name, PRELIMINARY, _notice_time(time, 29), event=facts),
        notice(name, PRELIMINARY, _notice_time(time, 299), event=facts),
    )


def _one_detector_map(
    name: str, time: datetime, where: tuple[float, float], distance: tuple[float, float] = (231, 84)
) -> bytes:
    # one detector's antenna has two lobes, overhead and beneath
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


def all_sample_events(now: datetime) -> dict[str, Notices]:
    """Return all sample events by name."""
    events = (
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
    return {make.__name__: make(now) for make in events}
