import math
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formatters.models.notice import Distance
from formatters.models.units import MONTH, YEAR
from formatters.text import quantities as q

NBSP = "\u00a0"
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "days": 86_400.0, "months": MONTH, "yr": YEAR}


def plain(text: str) -> str:
    return text.replace(NBSP, " ")


@pytest.mark.parametrize(
    ("far", "words"),
    [
        (9.11069936486e-14, "1 per 350,000 yr"),
        (1.2418992783582145e-10, "1 per 260 yr"),
        (1.4958830611323357e-10, "1 per 210 yr"),
        (1e-9, "1 per 32 yr"),
        (1.035085129180375e-08, "1 per 3.1 yr"),
        (2.2635e-8, "1 per 1.4 yr"),
        (1 / (0.99 * YEAR), "1 per 1.0 yr"),
        (1 / (0.95 * YEAR), "1 per 11 months"),
        (1 / (30.4 * 86_400), "1 per 30 days"),
        (1 / (30.5 * 86_400), "1 per 1.0 months"),
        (1 / (23.6 * 3600), "1 per 1.0 days"),
        (1 / (9.96 * 3600), "1 per 10 h"),
        (3.2e-8, "1 per 1.0 yr"),
        (7.8e-8, "1 per 4.9 months"),
        (9.1e-7, "1 per 13 days"),
        (2.3e-5, "1 per 12 h"),
        (3.0e-5, "1 per 9.3 h"),
        (1e-2, "1 per 1.7 min"),
        (1.14177774199959e-41, "rarer than 1 per 10⁶ yr"),
        (0.0, "rarer than 1 per 10⁶ yr"),
        (None, "unknown"),
        (math.nan, "unknown"),
        (-1.0, "unknown"),
        (math.inf, "more than 1 per s"),
    ],
)
def test_rate(far: float | None, words: str) -> None:
    assert plain(q.rate(far)) == words


def _seconds(words: str) -> float:
    match = re.fullmatch(r"1 per ([\d,.]+) (\w+)", plain(words))
    assert match is not None, words
    return float(match[1].replace(",", "")) * UNITS[match[2]]


rates = st.floats(min_value=q.RAREST_FAR, max_value=0.5, allow_nan=False)


near_a_unit = st.builds(
    lambda unit, count, shift: 1 / (UNITS[unit] * count * (1 + shift)),
    st.sampled_from(sorted(UNITS)),
    st.sampled_from([1, 9.95, 10, 12, 24, 30, 60, 99.5, 100]),
    st.floats(min_value=-0.06, max_value=0.06),
).filter(lambda far: q.RAREST_FAR <= far <= 1)


@given(rates | near_a_unit)
def test_a_rate_can_be_read_back_from_two_digits(far: float) -> None:
    assert _seconds(q.rate(far)) == pytest.approx(1 / far, rel=0.0501)
    assert _seconds(q.rate_compact(far).replace("1/", "1 per ")) == _seconds(q.rate(far))


@given(rates | near_a_unit)
def test_a_rate_has_two_significant_digits_and_no_count_that_is_a_larger_unit(far: float) -> None:
    match = re.fullmatch(r"1 per ([\d,.]+) (\w+)", plain(q.rate(far)))
    assert match is not None
    digits, unit = match[1].replace(",", ""), match[2]
    assert re.fullmatch(r"[1-9]\.\d|[1-9]\d0*", digits)
    larger = [size for size in UNITS.values() if size > UNITS[unit]]
    assert all(float(digits) * UNITS[unit] < size for size in larger)


@given(rates | near_a_unit, st.floats(min_value=1, max_value=1.2))
def test_a_rarer_rate_never_reads_as_more_frequent(far: float, factor: float) -> None:
    rarer = max(far / factor, q.RAREST_FAR)
    assert _seconds(q.rate(rarer)) >= _seconds(q.rate(far)) * (1 - 1e-12)


@given(rates, rates)
def test_the_rarer_never_reads_as_more_frequent(one: float, other: float) -> None:
    rare, frequent = sorted((one, other))
    # Rounding to different units ("60 days" and "2 months") may differ slightly.
    assert _seconds(q.rate(rare)) >= _seconds(q.rate(frequent)) * 0.98


def test_rates_in_hz() -> None:
    assert plain(q.rate_hz(9.11069936486e-14)) == "9.1e-14 Hz"
    assert plain(q.rate_hz(1.0351e-08)) == "1.0e-8 Hz"
    assert plain(q.rate_hz(1.14e-41)) == "1.1e-41 Hz"
    assert q.rate_hz(None) == "unknown"
    assert plain(q.rate_compact(1e-41)) == "<1/10⁶ yr"


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.0, "<1 %"),
        (0.0099, "<1 %"),
        (0.01, "1 %"),
        (0.95, "95 %"),
        (0.985, "98 %"),
        (0.99, "99 %"),
        (0.9921, ">99 %"),
        (1.0, ">99 %"),
        (math.nan, "? %"),
    ],
)
def test_percent(probability: float, words: str) -> None:
    assert plain(q.percent(probability)) == words
    assert q.percent_compact(probability) == words.replace(" ", "")


@given(st.floats(0, 1), st.floats(0, 1))
def test_percents_keep_their_order(one: float, other: float) -> None:
    def value(text: str) -> float:
        digits = float(text.strip("<>%"))
        return digits - 0.5 if "<" in text else digits + 0.5 if ">" in text else digits

    low, high = sorted((one, other))
    assert value(q.percent_compact(low)) <= value(q.percent_compact(high))


@pytest.mark.parametrize(
    ("area", "words"),
    [
        (0.0, "0.0"),
        (0.0432, "0.04"),
        (1e-300, "<0.001"),
        (8.900583, "8.9"),
        (9.96, "10"),
        (30.98, "31"),
        (9574.2, "9,574"),
    ],
)
def test_area(area: float, words: str) -> None:
    assert q.area_value(area) == words
    assert plain(q.area(area)) == f"{words} deg²"


@given(st.floats(0, 41_253), st.floats(0, 41_253))
def test_areas_keep_their_order(one: float, other: float) -> None:
    low, high = sorted((one, other))
    small, large = (float(q.area_value(area).replace(",", "").lstrip("<")) for area in (low, high))
    assert small <= large


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        (39.76999609489013, 8.308435058808886, "40 ± 8 Mpc"),
        (65.808, 41.65, "66 ± 42 Mpc"),
        (354.307, 63.042, "354 ± 63 Mpc"),
        (6423.27, 1739.651, "6,400 ± 1,700 Mpc"),
        (0.0101, 0.0023, "0.010 ± 0.002 Mpc"),
        (40.2, 0.0, "40 Mpc"),
        (-3.7e109, 1.1e300, "−3.7e+109 ± 1.1e+300 Mpc"),
        (math.inf, 8.0, "? ± 8 Mpc"),
        (40.2, math.nan, "40 Mpc"),
    ],
)
def test_distance(mean: float, std: float, words: str) -> None:
    assert plain(q.distance(Distance(mean=mean, std=std))) == words


@given(st.floats(0.01, 20_000), st.floats(0.01, 0.9))
def test_a_distance_can_be_read_back(mean: float, share: float) -> None:
    std = mean * share
    said = re.fullmatch(r"([\d,.]+) ± ([\d,.]+) Mpc", plain(q.distance(Distance(mean=mean, std=std))))
    assert said is not None
    assert float(said[2].replace(",", "")) == pytest.approx(std, rel=0.5)
    assert abs(float(said[1].replace(",", "")) - mean) <= std


def test_positions() -> None:
    assert plain(q.position(194.30419921874997, -17.856895095545468)) == "12h57m −17.9°"
    assert plain(q.position_coarse(216.3, 56.2)) == "14h25 +56°"
    assert plain(q.position_degrees(194.30419921874997, -17.856895095545468)) == "194.304, -17.857"
    assert plain(q.position(359.99, -0.04)) == "00h00m +0.0°"


@given(
    st.one_of(st.floats(-1, 721), st.sampled_from([-1e-9, 359.9996, 359.999_999_99, 360])),
    st.one_of(st.floats(-90, 90), st.floats(-1e-3, 1e-3)),
)
def test_degrees_stay_on_the_sky_after_rounding(ra: float, dec: float) -> None:
    for decimals in (3, 5, 6):
        shown = q.right_ascension_degrees(ra, decimals)
        assert 0 <= float(shown) < 360 and not shown.startswith("-")
        away = abs(float(shown) - ra) % 360
        assert min(away, 360 - away) <= 0.51 * 10**-decimals
        shown = q.declination_degrees(dec, decimals)
        assert abs(float(shown) - dec) <= 0.51 * 10**-decimals
        assert not shown.startswith("-") or float(shown) < 0
    assert q.position_degrees(359.999_99, -0.000_01).replace("\u00a0", " ") == "0.000, 0.000"


@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))
def test_a_position_can_be_read_back(ra: float, dec: float) -> None:
    said = re.fullmatch(r"(\d\d)h(\d\d)m ([+−])(\d+\.\d)°", plain(q.position(ra, dec)))
    assert said is not None
    hours, minutes = int(said[1]), int(said[2])
    assert hours < 24
    assert minutes < 60
    back = (hours + minutes / 60) * 15
    assert min(abs(back - ra), 360 - abs(back - ra)) <= 0.126
    assert float(said[4]) * (-1 if said[3] == "−" else 1) == pytest.approx(dec, abs=0.051)


@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 360), st.floats(-90, 90))
def test_separation_is_an_angle_and_symmetric(ra: float, dec: float, ra_2: float, dec_2: float) -> None:
    there = q.separation(ra, dec, ra_2, dec_2)
    assert 0 <= there <= 180
    assert there == pytest.approx(q.separation(ra_2, dec_2, ra, dec), abs=1e-6)


def test_separation_of_known_places() -> None:
    assert q.separation(10, 20, 10, 20) == 0
    assert q.separation(0, 90, 123, 0) == pytest.approx(90)
    assert q.separation(359.5, 0, 0.5, 0) == pytest.approx(1)
    assert q.angle(3.21) == "3.2°"
    assert q.angle(156.4) == "156°"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "+0.3 s"),
        (19.4, "+19 s"),
        (119.2, "+119 s"),
        (722.3, "+12 min"),
        (-3, "−3 s"),
        (3 * 3600, "+3 h"),
        (30 * 3600, "+30 h"),
        (5.5 * 86_400, "+5 days"),
    ],
)
def test_delay(seconds: float, words: str) -> None:
    assert plain(q.delay(timedelta(seconds=seconds))) == words


def test_times() -> None:
    time = datetime(2018, 11, 1, 22, 22, 46, 654_000, tzinfo=UTC)
    assert plain(q.utc(time)) == "2018-11-01 22:22:46 UTC"
    assert plain(q.utc_clock(time)) == "22:22:46 UTC"
    assert q.iso(time) == "2018-11-01T22:22:46.654000Z"
    assert q.iso(time.replace(microsecond=0)) == "2018-11-01T22:22:46Z"
    assert plain(q.age_text(time, time + timedelta(minutes=12))) == "12 min ago"
    assert q.age_text(time, time - timedelta(minutes=12)) == "just now"


@given(st.floats(min_value=0, max_value=1e9), st.floats(min_value=1, max_value=1.05))
def test_a_longer_time_never_reads_as_shorter(seconds: float, factor: float) -> None:
    sizes = UNITS | {"months": MONTH}

    def read(length: float) -> float:
        amount, unit = plain(q.duration_text(timedelta(seconds=length))).split(" ")
        return float(amount.replace(",", "")) * sizes[unit]

    assert read(seconds * factor) >= read(seconds) * (1 - 1e-12)
    # Cut to whole units from two on: at most half is lost, and nothing is added but by rounding seconds.
    assert seconds / 2 - 1 <= read(seconds) <= seconds + 0.5


@pytest.mark.parametrize(
    ("hours", "words"),
    [(9.94, "9.9 h"), (9.96, "9.9 h"), (9.999, "9.9 h"), (10, "10 h"), (10.9, "10 h"), (3, "3 h")],
)
def test_hours_near_10_are_cut_alike_on_both_sides(hours: float, words: str) -> None:
    assert plain(q.duration_text(timedelta(hours=hours))) == words


@pytest.mark.parametrize(
    ("days", "words"),
    [(2, "2 days ago"), (60, "60 days ago"), (61, "2 months ago"), (400, "13 months ago"), (731, "2 yr ago")],
)
def test_an_old_event_says_its_age_in_months_or_years(days: int, words: str) -> None:
    then = datetime(2024, 11, 25, 1, 1, tzinfo=UTC)
    assert plain(q.age_text(then, then + timedelta(days=days))) == words


def test_bursts_and_offsets() -> None:
    assert plain(q.duration(0.0013956958745169087)) == "1.4 ms"
    assert plain(q.duration(0.25)) == "0.25 s"
    assert plain(q.duration(12.3)) == "12 s"
    assert plain(q.frequency(487.32952931440246)) == "487 Hz"
    assert plain(q.frequency(8.46)) == "8.5 Hz"
    assert plain(q.duration(1e300)) == "1.0e+300 s"
    assert plain(q.time_offset(0.25)) == "0.25 s after"
    assert plain(q.time_offset(-2.0)) == "2 s before"
    assert q.time_offset(0.001) == "at the same moment"
    assert q.pluralize(1, "notice") == "1 notice"
    assert q.pluralize(2000, "notice") == "2,000 notices"
