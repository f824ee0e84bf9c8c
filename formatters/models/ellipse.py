"""An ellipse on the sky that holds a credible region."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CredibleEllipse:
    """An ellipse that holds a stated part of a map's probability; angles in degrees, position ICRS."""

    ra: float
    dec: float
    semi_major: float
    semi_minor: float
    angle: float
    """Position angle of the semi-minor axis, north through east, 0 to 180: the convention of DS9 and LVK."""
    area: float
    """Area, deg²."""
