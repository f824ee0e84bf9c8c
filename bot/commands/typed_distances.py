"""Distances beside a position as people write them: redshift, Mpc, distance modulus.

Only what is labelled or has a unit is a distance: a bare number is never taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.skymaps.coordinates import InvalidPosition
from bot.skymaps.crossmatch import luminosity_distance

MAX_DISTANCE_MPC = 1e6
MAX_REDSHIFT = 10.0
"""Above the redshift of any known object; "z=19.5" is rather a magnitude in the z band."""

_NUMBER = r"(?:\d{1,12}(?:\.\d{0,25})?|\.\d{1,25})(?:e[+-]?\d{1,2})?"
_ERROR = rf"(?:\s*(?:±|\+-|\+/-)\s*{_NUMBER}%?)?"
_SIGN = r"\s*(?:[=:≈~]|is\b)?\s*"
_MPC_PER_UNIT = {"pc": 1e-6, "kpc": 1e-3, "mpc": 1.0, "gpc": 1e3}
_END = r"(?![\w.:°'+-]*\d|[\w/^:°'])"
"""Nothing of the number is left: "z 13" isn't a redshift in "z 13:09:48"."""

_REDSHIFT = re.compile(
    rf"(?<![\w.])(?:(?:host|spec\w*|phot\w*)[\s_-]*)?(?:red\s?shift|z(?:[_-]?[a-z]{{2,6}})?){_SIGN}"
    rf"(?P<value>{_NUMBER}){_ERROR}{_END}(?!\s*(?:ab|mag))",
    re.IGNORECASE,
)
_MODULUS = re.compile(
    rf"(?<![\w.])(?:dm|mu|μ|m-M|dist(?:ance|\.)?\s*mod(?:ulus|\.)?){_SIGN}(?P<value>{_NUMBER}){_ERROR}"
    rf"(?:\s*mag)?{_END}",
    re.IGNORECASE,
)
_LENGTH = re.compile(
    rf"(?:(?<![\w.])(?:lum(?:inosity|\.)?\s*)?(?:d(?:[_-]?l)?|dist(?:ance|\.)?){_SIGN}|[~≈]\s*)?"
    rf"(?<![\w.:°'\"+-])(?P<value>{_NUMBER}){_ERROR}\s*(?P<unit>[kmg]?pc){_END}",
    re.IGNORECASE,
)
_ERROR_FIRST = re.compile(
    rf"\(\s*({_NUMBER})\s*(±|\+-|\+/-)\s*({_NUMBER})\s*\)(?=\s*[kmg]?pc)", re.IGNORECASE
)
"""Parentheses around the number of "(40 ± 5) Mpc"."""
_VELOCITY = re.compile(
    rf"(?<![\w.])(?:cz|v|vel\w*)?{_SIGN}(?P<value>{_NUMBER}){_ERROR}\s*km\s*/?\s*s", re.IGNORECASE
)
_LIGHT_SPEED_KM_S = 299_792.458


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedDistance:
    """A distance, and how it was given."""

    distance: float
    """Luminosity distance, Mpc."""
    redshift: float | None = None
    modulus: float | None = None
    """Distance modulus, mag."""


def extract_distance(text: str) -> tuple[TypedDistance | None, str, tuple[str, ...]]:
    """Return (distance or None, the text with commas in its place, the errors that were written with it).

    Raises InvalidPosition for two distances, for one out of range, and for a velocity.
    """
    text = _ERROR_FIRST.sub(r"\1 \2 \3", text)
    found: list[TypedDistance] = []
    errors: list[str] = []

    def taking(convert: Callable[[re.Match[str]], TypedDistance]) -> Callable[[re.Match[str]], str]:
        def take(match: re.Match[str]) -> str:
            found.append(convert(match))
            error = re.search(rf"(?:±|\+-|\+/-)\s*{_NUMBER}%?", match[0], re.IGNORECASE)
            if error is not None:
                errors.append("±\u00a0" + re.sub(r"^\D*?(?=[\d.])", "", error[0]))
            return " , "

        return take

    velocity = _VELOCITY.search(text)
    if velocity is not None:
        redshift = float(velocity["value"]) / _LIGHT_SPEED_KM_S
        raise InvalidPosition(
            f"{velocity['value']} km/s: velocities aren't converted; c z of that size is z={redshift:.3g}."
        )
    text = _MODULUS.sub(taking(_from_modulus), text)
    text = _LENGTH.sub(taking(_from_length), text)
    text = _REDSHIFT.sub(taking(_from_redshift), text)
    if len(found) > 1:
        raise InvalidPosition("There are two distances for one position: give one of them.")
    return (found[0] if found else None), text, tuple(errors)


def _from_redshift(match: re.Match[str]) -> TypedDistance:
    redshift = float(match["value"])
    if not 0 < redshift <= MAX_REDSHIFT:
        magnitude = f"; a magnitude is written mag={match['value']}" if redshift else ""
        raise InvalidPosition(f"A redshift here is above 0 and at most {MAX_REDSHIFT:g}{magnitude}.")
    return TypedDistance(distance=float(luminosity_distance(redshift)), redshift=redshift)


def _from_modulus(match: re.Match[str]) -> TypedDistance:
    modulus = float(match["value"])
    distance = 10 ** ((modulus - 25) / 5) if modulus <= 100 else float("inf")
    if not 0 < distance <= MAX_DISTANCE_MPC or modulus <= 0:
        raise InvalidPosition(
            f"A distance modulus here is above 0 and at most 55 mag, and {match['value']} isn't."
        )
    return TypedDistance(distance=distance, modulus=modulus)


def _from_length(match: re.Match[str]) -> TypedDistance:
    distance = float(match["value"]) * _MPC_PER_UNIT[match["unit"].casefold()]
    if not 0 < distance <= MAX_DISTANCE_MPC:
        raise InvalidPosition(f"A distance here is above 0 and at most {MAX_DISTANCE_MPC:,.0f} Mpc.")
    return TypedDistance(distance=distance)
