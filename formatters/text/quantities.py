"""Numbers with their units, as observers write them.

A no-break space joins a number and its unit, so that narrow screens do not separate them; texts for terminals
and notifications replace it with `mrkdwn.replace_nbsp`.
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
"""Lowest FAR in Hz that is written out: one per million years.

Lower estimates carry no more information, because they are read from an extrapolated tail.
"""

_PERIODS = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86_400.0, "days"), (MONTH, "months"), (YEAR, "yr"))
_PERIOD_DIGITS = 2
"""Significant digits of a FAR; LVK's circulars give as many ("9.1e-14 Hz")."""
_SCIENTIFIC_NOTATION_FROM = 1e9
_MAX_DURATION_IN_SECONDS = 120.0
_MIN_MONTHS, _MAX_MONTHS = 2, 24
"""Lengths of time between these are said in months, shorter ones in days, longer ones in years."""


def round_significant(value: float, digits: int) -> float:
    """Round to `digits` significant digits; 0 stays 0."""
    return float(f"{value:.{digits - 1}e}")


def number(value: float, decimals: int = 0) -> str:
    """Return a number with thousands separators and a real minus sign; zero never has a minus sign.

    Implausible values from a broken file stay short: "?" for a number that is not finite, "1.8e+308".
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
    """Return a probability (0 to 1) as whole percent, limited to "<1 %" and ">99 %" as in LVK's circulars.

    Exactly 0 and 1 are also written "<1 %" and ">99 %", because no classifier is that certain.
    """
    return f"{_percent(probability)}{NBSP}%"


def percent_compact(probability: float) -> str:
    """Return a probability (0 to 1) as whole percent without a space, for notifications: "95%"."""
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
    """Return a credible level (0 to 1) to a tenth of a percent: "32.4 %", "<0.1 %", ">99.9 %"."""
    if math.isnan(probability):
        return "?"
    if probability < 0.001:
        return f"<0.1{NBSP}%"
    if probability > 0.999:
        return f">99.9{NBSP}%"
    return f"{probability * 100:.1f}{NBSP}%"


def two_digits(value: float) -> str:
    """Return a positive number with two significant digits: "1.4", "0.048", "23", "1,200", "3.4e-7"."""
    rounded = round_significant(value, 2)
    if 0.001 <= rounded < _SCIENTIFIC_NOTATION_FROM:
        decimals = max(0, 1 - math.floor(math.log10(rounded)))
        return number(rounded, decimals)
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def fraction(value: float) -> str:
    """Return a fraction (0 to 1) of a maximum with two digits: "1", ">0.99", "0.61", "0.012", "3.4e-7", "0".

    Only the maximum itself is "1", and only nothing is "0".
    """
    if value >= 1 or value == 0:
        return f"{value:.0f}"
    if value > 0.99:
        return ">0.99"
    if value >= 0.001:
        return f"{round_significant(value, 2):.10f}".rstrip("0")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _period(far: float) -> str | None:
    """Return the mean time between false alarms of a rate in Hz: "1.4 yr", "350,000 yr".

    It has two significant digits in the largest unit of which it is at least one after rounding, so 11.9
    months are "1.0 yr", neither "12 months" nor "0.99 yr". Return None if the rate is below RAREST_FAR.
    """
    if far < RAREST_FAR:
        return None
    seconds = 1 / far
    size, unit = _PERIODS[0]
    for larger, name in _PERIODS[1:]:
        rounded = round_significant(seconds / size, _PERIOD_DIGITS) * size
        if max(seconds, rounded) < larger:
            break
        size, unit = larger, name
    count = max(1.0, round_significant(seconds / size, _PERIOD_DIGITS))
    return f"{number(count, 1 if count < 10 else 0)}{NBSP}{unit}"


def rate(far: float | None) -> str:
    """Return a FAR in Hz as "1 per 350,000 yr", or "unknown" for None, NaN or a negative rate."""
    if far is None or math.isnan(far) or far < 0:
        return "unknown"
    if far > 1:
        return "more than 1 per s"
    period = _period(far)
    return f"rarer than 1 per 10⁶{NBSP}yr" if period is None else f"1 per {period}"


def rate_compact(far: float | None) -> str:
    """Return a FAR in Hz in the short form for notifications: "1/350,000 yr"."""
    if far is None or math.isnan(far) or far < 0:
        return "unknown"
    if far > 1:
        return ">1/s"
    period = _period(far)
    return f"<1/10⁶{NBSP}yr" if period is None else f"1/{period}"


def rate_hz(far: float | None) -> str:
    """Return a rate in Hz with two significant digits: "9.1e-14 Hz", "1.0e-8 Hz"."""
    if far is None or math.isnan(far):
        return "unknown"
    mantissa, _, exponent = f"{far:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}{NBSP}Hz" if exponent else f"{mantissa}{NBSP}Hz"


def area_value(area: float) -> str:
    """Return an area in deg² without its unit: "0.04", "8.9", "31", "9,574"."""
    if 0 < area < 0.001:
        return "<0.001"
    if 0.001 <= area < 0.95:
        return f"{round_significant(area, 1):.10f}".rstrip("0")
    if area < 9.95:
        return number(area, 1)
    return number(area)


def area(value: float) -> str:
    """Return an area in deg² with its unit: "31 deg²"."""
    return f"{area_value(value)}{NBSP}deg²"


def _rounded(distance: Distance) -> tuple[str, str | None]:
    std = distance.std
    if not (math.isfinite(std) and std > 0):
        return number(round_significant(distance.mean, 2), 0 if distance.mean >= 10 else 1), None
    exponent = min(max(math.floor(math.log10(std)), -6), 6)
    # Whole Mpc for typical distances; two digits of a large standard deviation, one of a small one.
    digit = exponent - 1 if exponent >= 2 else min(exponent, 0)
    decimals = max(0, -digit)
    return number(round(distance.mean, -digit), decimals), number(round(std, -digit), decimals)


def distance_value(distance: Distance) -> str:
    """Return a distance's mean ± standard deviation in Mpc without the unit: "40 ± 8", "6,400 ± 1,700"."""
    mean, std = _rounded(distance)
    return mean if std is None else f"{mean}{NBSP}±{NBSP}{std}"


def distance(value: Distance) -> str:
    """Return a distance's mean ± standard deviation with the unit: "40 ± 8 Mpc"."""
    return f"{distance_value(value)}{NBSP}Mpc"


def distance_compact(value: Distance) -> str:
    """Return a distance's mean ± standard deviation in the short form for notifications: "40±8 Mpc"."""
    return f"{distance_value(value).replace(NBSP, '')}{NBSP}Mpc"


def right_ascension(degrees: float) -> str:
    """Return a right ascension, given in degrees, to the minute of time (0.25°): "12h57m"."""
    minutes = round(degrees * 4) % 1440
    return f"{minutes // 60:02d}h{minutes % 60:02d}m"


def declination(degrees: float, decimals: int = 1) -> str:
    """Return a declination in degrees, always signed: "−17.9°"."""
    text = number(degrees, decimals)
    return f"{text if text.startswith(MINUS) else '+' + text}°"


def position(ra: float, dec: float) -> str:
    """Return a position, given in degrees, to about a tenth of a degree, for people: "12h57m −17.9°"."""
    return f"{right_ascension(ra)}{NBSP}{declination(dec)}"


def position_coarse(ra: float, dec: float) -> str:
    """Return a rough position, given in degrees, for the middle of an extended region: "06h03 −20°"."""
    return f"{right_ascension(ra)[:-1]}{NBSP}{declination(dec, 0)}"


def position_degrees(ra: float, dec: float) -> str:
    """Return a position in decimal degrees for machines, so with a plain hyphen: "194.304, -17.857"."""
    return f"{right_ascension_degrees(ra, 3)},{NBSP}{declination_degrees(dec, 3)}"


def rounded_right_ascension(degrees: float, decimals: int) -> float:
    """Return a right ascension in degrees, rounded: at least 0 and below 360, also where it rounds up."""
    return round(degrees % 360, decimals) % 360


def right_ascension_degrees(degrees: float, decimals: int) -> str:
    """Return a right ascension in decimal degrees for machines, never "360.000": "194.304"."""
    return f"{rounded_right_ascension(degrees, decimals):.{decimals}f}"


def declination_degrees(degrees: float, decimals: int) -> str:
    """Return a declination in decimal degrees for machines, never "-0.000": "-17.857"."""
    return f"{degrees:z.{decimals}f}"


def position_sexagesimal(ra: float, dec: float) -> str:
    """Return a position, given in degrees, as in target lists: "13h09m48.1s −23°22′53″".

    The right ascension is rounded to 0.1 s of time, the declination to 1″.
    """
    tenths = round(ra * 2400) % 864_000
    seconds = round(abs(dec) * 3600)
    sign = MINUS if dec < 0 and seconds else "+"
    return (
        f"{tenths // 36_000:02d}h{tenths // 600 % 60:02d}m{tenths % 600 / 10:04.1f}s{NBSP}"
        f"{sign}{seconds // 3600:02d}°{seconds // 60 % 60:02d}′{seconds % 60:02d}″"
    )


def angle(degrees: float) -> str:
    """Return an angle in degrees: "3.2°", "156°"."""
    return f"{number(degrees, 1 if degrees < 10 else 0)}°"


def separation(ra_1: float, dec_1: float, ra_2: float, dec_2: float) -> float:
    """Return the angle between two positions, all in degrees.

    It uses the haversine formula, which is accurate at small angles.
    """
    phi_1, phi_2 = math.radians(dec_1), math.radians(dec_2)
    half_phi, half_lambda = (phi_2 - phi_1) / 2, math.radians(ra_2 - ra_1) / 2
    square = math.sin(half_phi) ** 2 + math.cos(phi_1) * math.cos(phi_2) * math.sin(half_lambda) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(square))))


def utc(time: datetime) -> str:
    """Return a time in UTC, truncated to the second: "2018-11-01 22:22:46 UTC"."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}{NBSP}UTC"


def utc_clock(time: datetime) -> str:
    """Return the time of day in UTC, truncated to the second: "22:22:46 UTC"."""
    return f"{time.astimezone(UTC):%H:%M:%S}{NBSP}UTC"


def iso(time: datetime) -> str:
    """Return a time in ISO 8601 with "Z", and with a fraction only if it has one: "2018-11-01T22:34:49Z"."""
    text = time.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text}Z"


def duration_text(length: timedelta) -> str:
    """Return a length of time without its sign: "0.3 s", "19 s", "12 min", "3 h", "5 days", "2 yr".

    From two of a unit on it is cut to whole ones, as ages are: 23 months and 29 days are "23 months".
    """
    seconds = abs(length.total_seconds())
    if seconds >= _MAX_MONTHS * MONTH:
        return f"{number(seconds // YEAR)}{NBSP}yr"
    if seconds >= _MIN_MONTHS * MONTH:
        return f"{number(seconds // MONTH)}{NBSP}months"
    if seconds < 9.95:
        return f"{_without_trailing_zeros(seconds, 1)}{NBSP}s"
    if seconds < _MAX_DURATION_IN_SECONDS:
        return f"{number(seconds)}{NBSP}s"
    if seconds < 2 * 3600:
        return f"{number(seconds // 60)}{NBSP}min"
    if seconds < 48 * 3600:
        # Cut, not rounded, on both sides of 10 h: 9.99 h are neither "10 h" nor "9 h".
        tenths = seconds // 360 / 10
        return f"{_without_trailing_zeros(tenths, 1) if tenths < 10 else number(math.floor(tenths))}{NBSP}h"
    return f"{number(seconds // 86_400)}{NBSP}days"


def delay(length: timedelta) -> str:
    """Return a length of time with its sign: "+12 min", "−3 s"."""
    return f"{MINUS if length < timedelta(0) else '+'}{duration_text(length)}"


def age_text(then: datetime, now: datetime) -> str:
    """Return the time since `then`: "12 min ago", "2 yr ago".

    It is "just now" below one second, or if the clocks disagree.
    """
    length = now - then
    return "just now" if length < timedelta(seconds=1) else f"{duration_text(length)} ago"


def duration(seconds: float) -> str:
    """Return a burst's duration in seconds with two significant digits: "1.4 ms", "0.25 s", "12 s"."""
    if seconds < 0.1:
        return f"{_without_trailing_zeros(round_significant(seconds * 1000, 2), 2)}{NBSP}ms"
    return f"{_without_trailing_zeros(round_significant(seconds, 2), 2)}{NBSP}s"


def frequency(hertz: float) -> str:
    """Return a central frequency in Hz: "487 Hz", "1,234 Hz", "8.5 Hz"."""
    return f"{number(hertz, 1 if hertz < 9.95 else 0)}{NBSP}Hz"


def time_offset(seconds: float) -> str:
    """Return the time of an external event relative to the GW event: "0.25 s after", "0.27 s before".

    `seconds` is external minus GW: positive if the external event came later.
    """
    text = _without_trailing_zeros(abs(seconds), 2 if abs(seconds) < 100 else 0)
    if text == "0":
        return "at the same moment"
    return f"{text}{NBSP}s {'after' if seconds > 0 else 'before'}"


def pluralize(amount: int, one: str, many: str | None = None) -> str:
    """Return an amount with its noun in the right number: "1 notice", "2,000 notices"."""
    return f"{number(amount)} {one if amount == 1 else many or one + 's'}"
