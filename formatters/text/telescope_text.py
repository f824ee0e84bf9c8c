"""Telescopes as people read them, and as they would type them."""

from __future__ import annotations

from datetime import timedelta
from math import atan, degrees, radians

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.pointing import Footprint, Telescope
from formatters.text import quantities
from formatters.text.quantities import NBSP


def telescope(of: Telescope) -> str:
    """Return a telescope's field and times: "field of view ZTF: 6.9° × 6.9°, 47 deg²; 3 min a field, …".

    Not escaped.
    """
    return f"field of view {field_of_view(of.footprint)}; {times(of)}"


def times(of: Telescope) -> str:
    """Return a telescope's times: "3 min a field, 1 min between fields"."""
    return f"{_length(of.exposure)} a field, {_length(of.overhead)} between fields"


def field_of_view(footprint: Footprint) -> str:
    """Return a field's words, shape and area: "1.1deg circle: 1.1° across, 0.95 deg²"; not escaped."""
    return f"{plain_text(footprint.words)}: {_shape(footprint)}, {area(footprint)}"


def area(footprint: Footprint) -> str:
    """Return a field's area: "47 deg²", "0.95 deg²"."""
    if footprint.area < 1:
        return f"{quantities.two_digits(footprint.area)}{NBSP}deg²"
    return quantities.area(footprint.area)


def telescope_arguments(of: Telescope) -> str:
    """Return a telescope as a person would type it: "fov 47sqdeg exposure 3min overhead 1min"."""
    return f"fov {of.footprint.words} exposure {_typed(of.exposure)} overhead {_typed(of.overhead)}"


def telescope_change(old: Telescope, new: Telescope) -> str:
    """Return the changes of a site's telescope: "field of view …, overhead 1 min → 30 s"; not escaped."""
    parts = []
    if old.footprint != new.footprint:
        parts.append(f"field of view {field_of_view(old.footprint)} → {field_of_view(new.footprint)}")
    if old.exposure != new.exposure:
        parts.append(f"exposure {_length(old.exposure)} → {_length(new.exposure)}")
    if old.overhead != new.overhead:
        parts.append(f"overhead {_length(old.overhead)} → {_length(new.overhead)}")
    return ", ".join(parts) or "field of view changed"


def _shape(footprint: Footprint) -> str:
    if footprint.radius is not None:
        return f"{_angle(2 * footprint.radius)} across"
    if len(footprint.polygons) > 1:
        return f"{len(footprint.polygons)} polygons"
    (corners,) = footprint.polygons
    x, y = ([corner[axis] for corner in corners] for axis in (0, 1))
    if len(corners) == 4 and len(set(x)) == len(set(y)) == 2:
        width, height = (_across(min(values)) + _across(max(values), 1) for values in (x, y))
        return f"{_angle(width)} × {_angle(height)}"
    return f"a polygon of {len(corners)} corners"


def _across(value: float, sign: int = -1) -> float:
    """Return the angle of a distance from the centre of the plane, degrees."""
    return sign * degrees(atan(radians(value)))


def _angle(size: float) -> str:
    if size < 1:
        arcmin = size * 60
        return f"{arcmin:.3g}′"
    return f"{float(f'{size:.3g}'):g}°" if size < 100 else f"{size:.0f}°"


def _length(length: timedelta) -> str:
    seconds = length.total_seconds()
    if seconds >= 60 and seconds % 6 == 0:
        return f"{seconds / 60:g}{NBSP}min"
    return f"{seconds:g}{NBSP}s"


def _typed(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds / 60:g}min" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g}s"
