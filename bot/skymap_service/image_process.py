"""Drawing of sky-map images in a separate process, started for the first image and replaced now and then.

There, drawing may be slow, use memory, hang or crash without harm to the bot: the process is replaced, and an
image that two processes couldn't draw is abandoned, so that its message stays without one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from math import cos, radians

import structlog

from bot.runtime.worker_process import ProcessClosed, ProcessFailed, ProcessNotStarted, WorkerProcess
from bot.skymaps.errors import UnreadableMap
from formatters.models.superevent import Superevent
from formatters.skymap_image import (
    Captions,
    DrawnPicture,
    DrawnSky,
    Marks,
    Position,
    SkyMapFigure,
    alt_text,
    create_captions,
)
from formatters.skymap_image.models import CREDIBLE_LEVELS, SUN_CIRCLE_DEG
from formatters.text import quantities

DRAW_TIMEOUT_S = 30.0
"""The time limit for one image; the first in a process takes about 2 s, the others 0.25 s."""
START_TIMEOUT_S = 30.0
"""The time limit for the start of the process."""
MIN_PROBABILITY_NEAR_SUN = 0.2
"""The probability (0 to 1) within SUN_CIRCLE_DEG of the Sun from which its circle is drawn."""
IMAGES_PER_PROCESS = 50
"""The number of images after which the process is replaced."""

log = structlog.get_logger(__name__)


class ImageFailed(Exception):
    """The image couldn't be drawn; `reason` says why in one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ImageProcessClosed(ImageFailed):
    """The bot is stopping: the image can be drawn after the next start."""


class ImageProcessUnavailable(ImageFailed):
    """No process can be started now, because descriptors, memory or processes are short; retry later."""


@dataclass(frozen=True, slots=True)
class ImageJob:
    """The input for one image, sent to the drawing process."""

    captions: Captions
    peak: Position | None
    """RA and Dec of the map's peak, ICRS degrees; None if the map is uniform."""
    sky_time: datetime
    """The time for which the Sun and the Moon are drawn: that of the notice, when people plan."""
    main_map: bytes
    """The FITS file of the map that is drawn."""
    gw_map: bytes | None
    """The FITS file of the GW map if the main one is a combined map, else None."""
    marks: Marks | None = None
    """The positions that are circled on the map."""


@dataclass(frozen=True, slots=True)
class ImageResult:
    """The output for one image, sent back by the drawing process."""

    png: bytes
    above: DrawnSky
    """Sun, Moon and outlines as they were drawn."""
    has_inset: bool


class ImageProcess:
    """Draws the sky map of a superevent's newest notice in a separate process."""

    def __init__(
        self,
        *,
        timeout_s: float = DRAW_TIMEOUT_S,
        start_timeout_s: float = START_TIMEOUT_S,
        images_per_process: int = IMAGES_PER_PROCESS,
    ) -> None:
        self._process = WorkerProcess(
            timeout_s=timeout_s,
            start_timeout_s=start_timeout_s,
            max_jobs=images_per_process,
            initializer="bot.skymap_service.image_process:warm_up",
            hidden_env_prefixes=("SLACK_", "GWEVENT_"),
        )

    @property
    def pid(self) -> int | None:
        """Return the id of the drawing process, None if none is running."""
        return self._process.pid

    async def draw(
        self, superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None = None
    ) -> DrawnPicture:
        """Draw the newest notice's map, preferably the combined one, and return the image with its alt text.

        The maps are the FITS files of that notice. If the process hangs or dies, the image is tried once more
        in another process. Raises ImageFailed.
        """
        return _drawn_picture(superevent, await self._run(_create_job(superevent, gw_map, combined_map)))

    async def draw_marked(
        self, superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None, marks: Marks
    ) -> DrawnPicture:
        """Draw as `draw` does, with places circled. Raises ImageFailed."""
        job = replace(_create_job(superevent, gw_map, combined_map), marks=marks)
        return _drawn_picture(superevent, await self._run(job), marks)

    async def close(self) -> None:
        """Kill the process at once; drawings that are waiting raise ImageProcessClosed."""
        await self._process.close()

    async def _run(self, job: ImageJob) -> ImageResult:
        try:
            try:
                return await self._process.run(render, job)
            except ProcessFailed as failure:
                log.warning("image_process_replaced", reason=str(failure))
            return await self._process.run(render, job)
        except ProcessClosed as error:
            raise ImageProcessClosed("The bot is stopping, and draws no more pictures.") from error
        except ProcessNotStarted as error:
            raise ImageProcessUnavailable(str(error)) from error
        except UnreadableMap as error:
            raise ImageFailed(error.reason) from error
        except ProcessFailed as failure:
            # One such event may come from a busy machine, many from a defect; the next image is tried in any
            # case.
            log.error("image_abandoned", reason=str(failure))
            raise ImageFailed(f"Its drawing failed twice. {failure}") from failure
        except Exception as error:
            # Any error that drawing raised in the other process means no image.
            log.error("unexpected_error", subsystem="image_process", exc_info=error)
            raise ImageFailed(f"The image couldn't be drawn ({type(error).__name__}).") from error


def draw_in_process(
    superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None = None
) -> DrawnPicture:
    """Draw like `ImageProcess.draw`, but in the calling process, for the command line. Raises ImageFailed."""
    job = _create_job(superevent, gw_map, combined_map)
    try:
        return _drawn_picture(superevent, render(job))
    except UnreadableMap as error:
        raise ImageFailed(error.reason) from error


def _drawn_picture(superevent: Superevent, result: ImageResult, marks: Marks | None = None) -> DrawnPicture:
    return DrawnPicture(result.png, alt_text(superevent, result.above, inset=result.has_inset, marks=marks))


def _create_job(superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None) -> ImageJob:
    notice = superevent.latest
    localization = notice.best_localization
    combined = notice.external is not None and notice.external.localization is not None
    main = combined_map if combined else gw_map
    if notice.event is None or localization is None or main is None:
        raise ImageFailed("The notice has no sky map to draw.")
    return ImageJob(
        captions=create_captions(superevent),
        peak=None if localization.is_uniform else (localization.ra, localization.dec),
        sky_time=notice.time_created,
        main_map=main,
        gw_map=gw_map if combined and notice.localization is not None else None,
    )


def warm_up() -> None:
    """Load the modules and grids that drawing needs, before the first job."""
    import formatters.skymap_image.figure  # noqa: F401
    from bot.skymaps import raster

    raster.all_sky_pixel_grid()


def render(job: ImageJob) -> ImageResult:
    """Draw one image in the calling process. Raises UnreadableMap."""
    # Imported here, so that matplotlib stays out of the bot's own process.
    from bot.observing.ephemeris import sun_and_moon
    from bot.skymaps import raster, skymap
    from bot.skymaps.cone_search import probability_in_cone, probability_of_tiles_in_cone
    from formatters.skymap_image import Inset
    from formatters.skymap_image.figure import draw

    main = skymap.read_sky_map(job.main_map)
    other = None if job.gw_map is None else skymap.read_sky_map(job.gw_map)
    pieces = raster.region_pieces(main)
    region = raster.inset_region(pieces)
    if job.peak is None:
        region = None
    if job.marks is not None and job.marks.fields:
        region = raster.region_of_fields(job.marks.fields) or region
    if other is not None and not raster.is_outlined(raster.region_pieces(other)[0.9]):
        other = None
    on_main = raster.rasterizer(main)
    inset = None
    if region is not None:
        pixels = raster.window_pixel_grid(region.window)
        inset = Inset(
            window=region.window,
            grid=on_main(pixels),
            probability=region.probability,
            gw_alone=None if other is None else raster.rasterize(other, pixels),
        )
    sun, moon = sun_and_moon(job.sky_time)
    # The cheap sum over tiles decides whether the exact one is worth its time.
    rough = probability_of_tiles_in_cone(main, *sun, SUN_CIRCLE_DEG)
    near_sun = (
        probability_in_cone(main, *sun, SUN_CIRCLE_DEG) if rough > MIN_PROBABILITY_NEAR_SUN / 2 else rough
    )
    above = DrawnSky(
        sun=sun,
        moon=moon,
        moon_illumination=(1 - cos(radians(quantities.separation(*sun, *moon)))) / 2,
        near_sun=near_sun if near_sun >= MIN_PROBABILITY_NEAR_SUN else None,
        outlined=tuple(
            level for level in CREDIBLE_LEVELS if job.peak is not None and raster.is_outlined(pieces[level])
        ),
    )
    picture = SkyMapFigure(
        captions=job.captions,
        sky=on_main(raster.all_sky_pixel_grid()),
        peak=job.peak,
        above=above,
        inset=inset,
        gw_alone=None if other is None else raster.rasterize(other, raster.all_sky_pixel_grid()),
        marks=job.marks,
    )
    return ImageResult(draw(picture), above, inset is not None)
