"""The numbers of a notice that filters compare, with their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from formatters.models.notice import CLASSES, PROPERTIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number that a notice may contain."""

    unit: Literal["", "probability", "deg²", "Mpc", "redshift", "Msun"]


QUANTITIES: Mapping[str, Quantity] = {
    **{name: Quantity(unit="probability") for name in CLASSES + PROPERTIES},
    "NS": Quantity(unit="probability"),
    "remnant": Quantity(unit="probability"),
    "area50": Quantity(unit="deg²"),
    "area90": Quantity(unit="deg²"),
    "distance": Quantity(unit="Mpc"),
    "z": Quantity(unit="redshift"),
    "mchirp": Quantity(unit="Msun"),
    "instruments": Quantity(unit=""),
}
"""The quantities that a `Compare` may compare, by their names in the canonical text."""
