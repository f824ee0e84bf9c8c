"""Numbers with their units, as observers write them.

Between a number and its unit stands a no-break space, so that a narrow screen never parts them; where
words go into a terminal or a notification, `mrkdwn.simple_spaces` takes it out again.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from formatters.blockkit import mrkdwn
from formatters.models.notice import Distance
from formatters.models.units import MONTH, YEAR

NBSP = mrkdwn.NBSP
MINUS = "\u2212"
RAREST_FAR = 1e-6 / YEAR
"""Hz. A FAR estimate below one per million years says no more than that (the tail it is read from is
extrapolated), so none is spelled out below it."""

_PERIODS = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86_400.0, "days"), (MONTH, "months"), (YEAR, "yr"))
# A unit serves from two of it on ("40 h", then "2 days"), which keeps whole numbers exact enough.
_MIN_COUNT_FOR_UNIT = 2.0
_SCIENTIFIC_NOTATION_FROM = 1e9
_MAX_DURATION_IN_SECONDS = 120.0


def round_significant(value: float, digits: int) -> float:
    """Round to so many significant digits; 0 stays 0."""
    return float(f"{value:.{digits - 1}e}")


def number(value: float, decimals: int = 0) -> str:
    """A number with thousands separators and a real minus sign; never a minus before zero.

    What no map or search can mean, but a broken file can hold, stays short: "?", "1.8e+308".
    """
    if not math.isfinite(value):
        return "?"
    if abs(value) >= _SCIENTIFIC_NOTATION_FROM:
        return f"{value:.1e}".replace("-", MINUS)
    text = f"{abs(value):,.{decimals}f}"
    negative = value < 0 and any(digit in "123456789" for digit in text)
    return f"{MINUS}{text}" if negative else text


def _without_trailing_zeros(value: float, decimals: int) -> str:
    text = number(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def percent(probability: float) -> str:
    """A probability as whole percent, "<1 %" and ">99 %" at the ends, as LVK's circulars write it.

    Exactly 0 and 1 say the same as all that is near: no classifier is that sure.
    """
    return f"{_percent(probability)}{NBSP}%"


def percent_compact(probability: float) -> str:
    """The same for a notification: "95%"."""
    return f"{_percent(probability)}%"


def _percent(probability: float) -> str:
    if math.isnan(probability):
        return "?"
    if probability < 0.01:
        return "<1"
    if probability > 0.99:
        return ">99"
    return f"{probability * 100:.0f}"


def credible_level(probability: float) -> str:
    """A credible level to a tenth of a percent: "32.4 %", "<0.1 %", ">99.9 %"."""
    if math.isnan(probability):
        return "?"
    if probability < 0.001:
        return f"<0.1{NBSP}%"
    if probability > 0.999:
        return f">99.9{NBSP}%"
    return f"{probability * 100:.1f}{NBSP}%"


def fraction(value: float) -> str:
    """A share of a largest value, with two digits however small: "1", "0.61", "0.012", "3.4e-7", "0"."""
    if value >= 0.995 or value == 0:
        return f"{value:.0f}"
    if value >= 0.001:
        return f"{round_significant(value, 2):.10f}".rstrip("0")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _period(far: float) -> str | None:
    """The mean time between false alarms of a rate in Hz, or None if it is rarer than worth a number."""
    if far < RAREST_FAR:
        return None
    seconds = 1 / far
    size, unit = next(
        ((s, u) for s, u in reversed(_PERIODS) if seconds >= _MIN_COUNT_FOR_UNIT * s), _PERIODS[0]
    )
    count = seconds / size
    if unit == "yr":
        if count < 10:
            return f"{_without_trailing_zeros(count, 1)}{NBSP}{unit}"
        if count >= 1000:
            count = round_significant(count, 2)
    return f"{number(count)}{NBSP}{unit}"


def rate(far: float | None) -> str:
    """A false-alarm rate in Hz as "1 per 350,000 yr"; "unknown" for None, NaN or a negative rate."""
    if far is None or math.isnan(far) or far < 0:
        return "unknown"
    if far > 1:
        return "more than 1 per s"
    period = _period(far)
    return f"rarer than 1 per 10⁶{NBSP}yr" if period is None else f"1 per {period}"


def rate_compact(far: float | None) -> str:
    """The same for a notification: "1/350,000 yr"."""
    if far is None or math.isnan(far) or far < 0:
        return "unknown"
    if far > 1:
        return ">1/s"
    period = _period(far)
    return f"<1/10⁶{NBSP}yr" if period is None else f"1/{period}"


def rate_hz(far: float | None) -> str:
    """A rate in Hz with two significant digits: "9.1e-14 Hz", "1.0e-8 Hz"."""
    if far is None or math.isnan(far):
        return "unknown"
    mantissa, _, exponent = f"{far:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}{NBSP}Hz" if exponent else f"{mantissa}{NBSP}Hz"


def area_value(area: float) -> str:
    """An area in deg² without its unit: "0.04", "8.9", "31", "9,574"."""
    if 0 < area < 0.001:
        return "<0.001"
    if 0.001 <= area < 0.95:
        return f"{round_significant(area, 1):.10f}".rstrip("0")
    if area < 9.95:
        return number(area, 1)
    return number(area)


def area(value: float) -> str:
    """An area in deg², with it."""
    return f"{area_value(value)}{NBSP}deg²"


def _rounded(distance: Distance) -> tuple[str, str | None]:
    std = distance.std
    if not (math.isfinite(std) and std > 0):
        return number(round_significant(distance.mean, 2), 0 if distance.mean >= 10 else 1), None
    exponent = min(max(math.floor(math.log10(std)), -6), 6)
    # Whole Mpc for what telescopes reach; two digits of a large sd, one of a small one.
    place = exponent - 1 if exponent >= 2 else min(exponent, 0)
    decimals = max(0, -place)
    return number(round(distance.mean, -place), decimals), number(round(std, -place), decimals)


def distance_value(distance: Distance) -> str:
    """Mean ± standard deviation in Mpc without the unit: "40 ± 8", "6,400 ± 1,700"."""
    mean, std = _rounded(distance)
    return mean if std is None else f"{mean}{NBSP}±{NBSP}{std}"


def distance(value: Distance) -> str:
    """Mean ± standard deviation in Mpc: "40 ± 8 Mpc"."""
    return f"{distance_value(value)}{NBSP}Mpc"


def distance_compact(value: Distance) -> str:
    """The same for a notification: "40±8 Mpc"."""
    return f"{distance_value(value).replace(NBSP, '')}{NBSP}Mpc"


def right_ascension(degrees: float) -> str:
    """Right ascension to the minute of time (a quarter of a degree): "12h57m"."""
    minutes = round(degrees * 4) % 1440
    return f"{minutes // 60:02d}h{minutes % 60:02d}m"


def declination(degrees: float, decimals: int = 1) -> str:
    """Declination in degrees, always signed: "−17.9°"."""
    text = number(degrees, decimals)
    return f"{text if text.startswith(MINUS) else '+' + text}°"


def position(ra: float, dec: float) -> str:
    """A position to about a tenth of a degree, for people: "12h57m −17.9°"."""
    return f"{right_ascension(ra)}{NBSP}{declination(dec)}"


def position_coarse(ra: float, dec: float) -> str:
    """The centre of a region, which has no exact place: "06h03 −20°"."""
    return f"{right_ascension(ra)[:-1]}{NBSP}{declination(dec, 0)}"


def position_degrees(ra: float, dec: float) -> str:
    """A position in degrees, for machines, so with a plain hyphen: "194.304, -17.857"."""
    return f"{ra:.3f},{NBSP}{dec:.3f}"


def position_sexagesimal(ra: float, dec: float) -> str:
    """A position as a target list has it, to a tenth of a second of time: "13h09m48.1s −23°22′53″"."""
    tenths = round(ra * 2400) % 864_000
    seconds = round(abs(dec) * 3600)
    sign = MINUS if dec < 0 and seconds else "+"
    return (
        f"{tenths // 36_000:02d}h{tenths // 600 % 60:02d}m{tenths % 600 / 10:04.1f}s{NBSP}"
        f"{sign}{seconds // 3600:02d}°{seconds // 60 % 60:02d}′{seconds % 60:02d}″"
    )


def angle(degrees: float) -> str:
    """An angle between two positions: "3.2°", "156°"."""
    return f"{number(degrees, 1 if degrees < 10 else 0)}°"


def separation(ra_1: float, dec_1: float, ra_2: float, dec_2: float) -> float:
    """The angle between two positions, all in degrees (the haversine formula, good at small angles)."""
    phi_1, phi_2 = math.radians(dec_1), math.radians(dec_2)
    half_phi, half_lambda = (phi_2 - phi_1) / 2, math.radians(ra_2 - ra_1) / 2
    square = math.sin(half_phi) ** 2 + math.cos(phi_1) * math.cos(phi_2) * math.sin(half_lambda) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(square))))


def utc(time: datetime) -> str:
    """A time to the second, cut and not rounded, as clocks show it: "2018-11-01 22:22:46 UTC"."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}{NBSP}UTC"


def utc_clock(time: datetime) -> str:
    """The time of day alone: "22:22:46 UTC"."""
    return f"{time.astimezone(UTC):%H:%M:%S}{NBSP}UTC"


def iso(time: datetime) -> str:
    """ISO 8601 with Z, and with a fraction only where there is one: "2018-11-01T22:34:49Z"."""
    text = time.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text}Z"


def duration_text(length: timedelta) -> str:
    """A length of time as far as it matters, sign dropped: "0.3 s", "19 s", "12 min", "3.0 h", "5 days"."""
    seconds = abs(length.total_seconds())
    if seconds < 9.95:
        return f"{_without_trailing_zeros(seconds, 1)}{NBSP}s"
    if seconds < _MAX_DURATION_IN_SECONDS:
        return f"{number(seconds)}{NBSP}s"
    if seconds < 2 * 3600:
        return f"{number(seconds // 60)}{NBSP}min"
    if seconds < 48 * 3600:
        hours = seconds / 3600
        return f"{_without_trailing_zeros(hours, 1) if hours < 9.95 else number(math.floor(hours))}{NBSP}h"
    return f"{number(seconds // 86_400)}{NBSP}days"


def delay(length: timedelta) -> str:
    """A signed length of time: "+12 min", "−3 s"."""
    return f"{MINUS if length < timedelta(0) else '+'}{duration_text(length)}"


def age_text(then: datetime, now: datetime) -> str:
    """How long ago: "12 min ago"; "just now" within a second or if clocks disagree."""
    length = now - then
    return "just now" if length < timedelta(seconds=1) else f"{duration_text(length)} ago"


def duration(seconds: float) -> str:
    """A burst's duration with two significant digits: "1.4 ms", "0.25 s", "12 s"."""
    if seconds < 0.1:
        return f"{_without_trailing_zeros(round_significant(seconds * 1000, 2), 2)}{NBSP}ms"
    return f"{_without_trailing_zeros(round_significant(seconds, 2), 2)}{NBSP}s"


def frequency(hertz: float) -> str:
    """A central frequency: "487 Hz", "1,234 Hz", "8.5 Hz"."""
    return f"{number(hertz, 1 if hertz < 9.95 else 0)}{NBSP}Hz"


def time_offset(seconds: float) -> str:
    """When another event came, from GW: "0.25 s after", "0.27 s before"."""
    text = _without_trailing_zeros(abs(seconds), 2 if abs(seconds) < 100 else 0)
    if text == "0":
        return "at the same moment"
    return f"{text}{NBSP}s {'after' if seconds > 0 else 'before'}"


def pluralize(amount: int, one: str, many: str | None = None) -> str:
    """A number of things: "1 notice", "2,000 notices"."""
    return f"{number(amount)} {one if amount == 1 else many or one + 's'}"
