"""A telescope in the file of `gwevent export`: with its shape, so that another bot knows it too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bot.commands.telescope_words import EXPOSURE_LIMITS, OVERHEAD_LIMITS
from bot.observing.footprints import (
    MAX_CORNERS,
    MAX_SIZE_DEG,
    MIN_SIZE_DEG,
    FootprintProblem,
    circle,
    polygon_footprint,
)
from formatters.models.observing import SITE_NAME_MAX
from formatters.models.pointing import Footprint, Telescope

_MAX_WORDS = 80


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    area: float
    """Written for who reads the file; computed again from the shape."""
    radius: float | None = None
    polygons: Annotated[
        tuple[Annotated[tuple[tuple[float, float], ...], Field(max_length=MAX_CORNERS)], ...],
        Field(max_length=MAX_CORNERS),
    ] = ()

    def footprint(self, words: str) -> Footprint:
        """Return the field of view. Raises FootprintProblem."""
        if self.radius is None:
            return polygon_footprint(self.polygons, words)
        if self.polygons:
            raise FootprintProblem("it is both a circle and polygons")
        if not MIN_SIZE_DEG <= 2 * self.radius <= MAX_SIZE_DEG:
            raise FootprintProblem(f"a circle is between {MIN_SIZE_DEG:g}° and {MAX_SIZE_DEG:g}° across")
        return circle(self.radius, words)


class FileTelescope(BaseModel):
    """One telescope of a channel in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    site: Annotated[str, StringConstraints(max_length=SITE_NAME_MAX, min_length=1)]
    words: Annotated[str, StringConstraints(max_length=_MAX_WORDS, min_length=1)]
    shape: _Shape
    exposure_s: Annotated[
        float, Field(ge=EXPOSURE_LIMITS[0].total_seconds(), le=EXPOSURE_LIMITS[1].total_seconds())
    ]
    overhead_s: Annotated[
        float, Field(ge=OVERHEAD_LIMITS[0].total_seconds(), le=OVERHEAD_LIMITS[1].total_seconds())
    ]

    @model_validator(mode="after")
    def _shape_is_a_field(self) -> Self:
        self.shape.footprint(self.words)
        return self

    def telescope(self) -> Telescope:
        """Return the telescope; its site is named as in the file."""
        return Telescope(
            site=self.site,
            footprint=replace(self.shape.footprint(self.words), words=self.words),
            exposure=timedelta(seconds=self.exposure_s),
            overhead=timedelta(seconds=self.overhead_s),
        )
