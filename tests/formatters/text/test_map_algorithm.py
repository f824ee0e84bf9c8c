from collections.abc import Callable
from dataclasses import replace

import pytest

from formatters.models.notice import ASSEMBLED_FROM, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text.map_algorithm import map_algorithm

SAMPLES = "ligo-skymap-from-samples"
PLACE = "https://gracedb.ligo.org/api/superevents/S241126dm/files/"


@pytest.mark.parametrize(
    ("creator", "file", "algorithm"),
    [
        ("BAYESTAR", None, "BAYESTAR"),
        ("bayestar", "bayestar.multiorder.fits,1", "BAYESTAR"),
        (SAMPLES, "Bilby.offline0.multiorder.fits,2", "Bilby"),
        (SAMPLES, "Bilby.multiorder.fits%2C0", "Bilby"),
        (SAMPLES, "RIFT.multiorder.fits?download=1", "RIFT"),
        (SAMPLES, "amplfi.multiorder.fits", "AMPLFI"),
        ("AMPLFI", None, "AMPLFI"),
        ("cWB", None, "cWB"),
        ("cWB", "cwb.multiorder.fits", "cWB"),
        # What isn't known is not guessed.
        (SAMPLES, None, None),
        (SAMPLES, "S241126dm.multiorder.fits", None),
        (SAMPLES, "", None),
        (None, None, None),
        ("  ", None, None),
        # An unlisted program is shown as it stands; an unlisted file name says nothing.
        ("NewMapper 2.0", None, "NewMapper 2.0"),
        ("BAYESTAR", "update-3.multiorder.fits", "BAYESTAR"),
    ],
)
def test_the_algorithm_of_a_map(
    creator: str | None,
    file: str | None,
    algorithm: str | None,
    make_notice: Callable[..., Notice],
    make_map: Callable[..., Localization],
) -> None:
    urls = {} if file is None else {"skymap": PLACE + file}
    notice = make_notice(localization=make_map(creator=creator), urls=urls)
    assert map_algorithm(notice) == algorithm
    foot = alert_card.footer(Superevent.from_notices([notice]), notice, notice.event)
    assert ("map by" in foot) is (algorithm is not None)
    assert algorithm is None or f" · map by {algorithm} · FAR" in foot


def test_a_notice_without_a_map_has_no_algorithm(make_notice: Callable[..., Notice]) -> None:
    assert map_algorithm(make_notice(localization=None, urls={"skymap": f"{PLACE}bayestar.fits"})) is None


def test_an_unreadable_address_says_nothing(
    make_notice: Callable[..., Notice], make_map: Callable[..., Localization]
) -> None:
    notice = make_notice(localization=make_map(), urls={"skymap": "https://[broken/Bilby.multiorder.fits"})
    assert map_algorithm(notice) is None


def test_a_record_from_gracedb_names_the_maps_algorithm_and_not_that_of_the_classes(
    make_notice: Callable[..., Notice], make_map: Callable[..., Localization]
) -> None:
    files = ["superevent", "RapidPE_RIFT.p_astro.json", "Bilby.offline1.multiorder.fits,0"]
    notice = replace(
        make_notice(localization=make_map(creator=SAMPLES)),
        archive="GraceDB",
        published={ASSEMBLED_FROM: files},
    )
    assert map_algorithm(notice) == "Bilby"
    without_map = replace(notice, published={ASSEMBLED_FROM: files[:2]})
    assert map_algorithm(without_map) is None
