"""The positions in the 54 real circulars, read by eye in their texts: none missing, none too many.

Left out on purpose: the Earth's place in 34319 and the DS9 ellipse of LVK's own map in 34758. 34332 and 34754
repeat their position in hours, 34723 its own, 34607 its own in rounded Galactic coordinates.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.related_messages.positions_in_text import find_positions
from formatters.text.quantities import separation
from tests.support.shared_data import NO_MESSAGES

_TRUE: dict[str, tuple[tuple[float, float], ...]] = {
    "34332": ((199.8, -45.2),),
    "34407": ((296.38, 38.28), (304.78, 8.59)),
    "34430": ((249.13129, 47.85894),),
    "34556": ((261.93058, -16.20532),),
    "34607": ((261.95354, -16.30494),),
    "34616": ((348.40, 37.26), (348.89, 36.55)),
    "34646": ((186.17, 29.37),),
    "34657": ((148.9, -23.4),),
    "34668": ((151.9, -26.0),),
    "34688": ((49.8224, 37.7884),),
    "34723": ((333.784, 39.435),),
    "34736": (
        (333.28450, 39.54614), (334.42463, 39.32286), (333.52179, 39.64922),
        (334.13946, 39.86142), (333.43000, 38.92231), (333.71100, 38.85197),
    ),
    "34754": ((239.4, -33.4),),
    "34763": (
        (334.58439, -17.76893), (337.68403, -22.29098), (333.62219, -26.62869), (334.98655, -25.03098),
        (338.72455, -30.49194), (334.65825, -21.68147), (341.98100, -14.11151), (340.95960, -29.18008),
        (344.53394, -20.19434), (331.08523, -24.68801), (342.15361, -28.49676), (340.60787, -16.46160),
        (345.77218, -22.79818),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def bodies(shared_notices: Path) -> dict[str, str]:
    folder = shared_notices.parent / "gcn" / "circulars"
    if not folder.is_dir():
        pytest.skip(NO_MESSAGES)
    return {path.stem: json.loads(path.read_text("utf-8"))["body"] for path in sorted(folder.glob("*.json"))}


def test_every_position_of_the_real_circulars_is_found_and_no_other(bodies: dict[str, str]) -> None:
    assert len(bodies) == 54
    for number, body in bodies.items():
        found = find_positions(body)
        expected = _TRUE.get(number, ())
        assert len(found) == len(expected), (number, found)
        for position, (ra, dec) in zip(found, expected, strict=True):
            assert separation(position.ra, position.dec, ra, dec) < 0.05 / 3600, (number, position)


def test_rows_of_the_real_circulars_keep_their_names_errors_and_times(bodies: dict[str, str]) -> None:
    transients = find_positions(bodies["34763"])
    assert [position.name for position in transients[:2]] == ["AT 2023tou", "AT 2023tos"]
    assert transients[0].magnitude == "g = 21.61"
    assert transients[0].time is not None
    assert f"{transients[0].time:%FT%T}" == "2023-09-24T04:40:35"
    (flare,) = find_positions(bodies["34668"])
    assert (flare.radius, flare.containment) == (0.3, 0.9)
    neutrino = find_positions(bodies["34616"])[1]
    assert (neutrino.radius, neutrino.containment) == (3.16, 0.9)
    source = find_positions(bodies["34736"])[0]
    assert source.name == "S230917af_X3"
    assert source.radius == pytest.approx(8.4 / 3600)
    assert source.containment == 0.9
    (transient,) = find_positions(bodies["34688"])
    assert transient.name == "AT2023rkw"
