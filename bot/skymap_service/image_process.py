"""Pictures are drawn in a process of their own, started when the first is wanted and renewed now and then.

It can take its time, grow, hang or crash there: the bot goes on, another process takes its place, and a
picture that two processes can't draw is given up: its message stands without.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from bot.runtime.worker_process import ProcessClosed, ProcessFailed, ProcessNotStarted, WorkerProcess
from bot.skymaps.errors import UnreadableMap
from formatters.models.superevent import Superevent
from formatters.skymap_image import Captions, DrawnPicture, Position, SkyMapFigure, alt_text, create_captions

DRAW_TIMEOUT_S = 30.0
"""Seconds for one picture; the first of a process takes about two, all others a fourth of one."""
START_TIMEOUT_S = 30.0
"""Seconds for the process to start."""
IMAGES_PER_PROCESS = 50

log = structlog.get_logger(__name__)


class ImageFailed(Exception):
    """There is no picture; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ImageProcessClosed(ImageFailed):
    """The bot stops: the picture can be drawn after the next start."""


class ImageProcessUnavailable(ImageFailed):
    """No process can be started now (descriptors, memory or processes are short, say): later it can."""


@dataclass(frozen=True, slots=True)
class ImageJob:
    """What the process needs for one picture."""

    captions: Captions
    peak: Position
    event_time: datetime
    """Of the event: where Sun and Moon stood."""
    main_map: bytes
    """FITS."""
    gw_map: bytes | None
    """FITS of the GW map, where the main one is a combined map."""


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What comes back."""

    png: bytes
    sun: Position
    moon: Position
    has_inset: bool


class ImageProcess:
    """Draws the picture of a superevent's newest notice."""

    def __init__(
        self,
        *,
        timeout_s: float = DRAW_TIMEOUT_S,
        start_timeout_s: float = START_TIMEOUT_S,
        images_per_process: int = IMAGES_PER_PROCESS,
    ) -> None:
        self._process = WorkerProcess(
            timeout_s=timeout_s, start_timeout_s=start_timeout_s, max_jobs=images_per_process
        )

    @property
    def pid(self) -> int | None:
        """Of the process that draws, where there is one."""
        return self._process.pid

    async def draw(
        self, superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None = None
    ) -> DrawnPicture:
        """Draw the newest notice's map, the combined one where it was read, and say what the picture shows.

        The maps are the FITS files that came in that notice. A picture over which the process hangs or dies
        is tried once more, in another process. Raises ImageFailed.
        """
        return _drawn_picture(superevent, await self._run(_create_job(superevent, gw_map, combined_map)))

    async def close(self) -> None:
        """End the process at once; pictures still wanted fail."""
        await self._process.close()

    async def _run(self, order: ImageJob) -> ImageResult:
        try:
            try:
                return await self._process.run(render, order)
            except ProcessFailed as failure:
                log.warning("drawing_process_replaced", reason=str(failure))
            return await self._process.run(render, order)
        except ProcessClosed as error:
            raise ImageProcessClosed("The bot is stopping, and draws no more pictures.") from error
        except ProcessNotStarted as error:
            raise ImageProcessUnavailable(str(error)) from error
        except UnreadableMap as error:
            raise ImageFailed(error.reason) from error
        except ProcessFailed as failure:
            # The sheer number tells these from a machine that was busy: it goes on with the next picture.
            log.error("picture_given_up", reason=str(failure))
            raise ImageFailed(f"Its drawing failed twice. {failure}") from failure
        except Exception as error:
            # Whatever went wrong over there, here it is one thing: no picture.
            log.error("picture failed", exc_info=error)
            raise ImageFailed(f"The picture couldn't be drawn ({type(error).__name__}).") from error


def draw_in_process(
    superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None = None
) -> DrawnPicture:
    """Do the same as `ImageProcess.draw`, in this process: for the command line. Raises ImageFailed."""
    order = _create_job(superevent, gw_map, combined_map)
    try:
        return _drawn_picture(superevent, render(order))
    except UnreadableMap as error:
        raise ImageFailed(error.reason) from error


def _drawn_picture(superevent: Superevent, rendered: ImageResult) -> DrawnPicture:
    said = alt_text(superevent, sun=rendered.sun, moon=rendered.moon, inset=rendered.has_inset)
    return DrawnPicture(rendered.png, said)


def _create_job(superevent: Superevent, gw_map: bytes | None, combined_map: bytes | None) -> ImageJob:
    notice = superevent.latest
    localization = notice.best_localization
    combined = notice.external is not None and notice.external.localization is not None
    main = combined_map if combined else gw_map
    if notice.event is None or localization is None or main is None:
        raise ImageFailed("The notice has no sky map to draw.")
    return ImageJob(
        captions=create_captions(superevent),
        peak=(localization.ra, localization.dec),
        event_time=notice.event.time,
        main_map=main,
        gw_map=gw_map if combined and notice.localization is not None else None,
    )


def warm_up() -> None:
    """Load what drawing needs, before the first order comes."""
    import formatters.skymap_image.figure  # noqa: F401
    from bot.skymaps import raster

    raster.all_sky_pixel_grid()


def render(job: ImageJob) -> ImageResult:
    """Draw one picture, in this process. Raises UnreadableMap."""
    # Matplotlib and the coordinates stay out of the bot's own memory.
    from bot.observing.ephemeris import sun_and_moon
    from bot.skymaps import raster, skymap
    from formatters.skymap_image import Inset
    from formatters.skymap_image.figure import draw

    main = skymap.read_sky_map(job.main_map)
    other = None if job.gw_map is None else skymap.read_sky_map(job.gw_map)
    region = raster.inset_region(main)
    inset = None
    if region is not None:
        pixels = raster.window_pixel_grid(region.window)
        inset = Inset(
            window=region.window,
            grid=raster.rasterize(main, pixels),
            probability=region.probability,
            gw_alone=None if other is None else raster.rasterize(other, pixels),
        )
    sun, moon = sun_and_moon(job.event_time)
    picture = SkyMapFigure(
        captions=job.captions,
        sky=raster.rasterize(main, raster.all_sky_pixel_grid()),
        peak=job.peak,
        sun=sun,
        moon=moon,
        inset=inset,
        gw_alone=None if other is None else raster.rasterize(other, raster.all_sky_pixel_grid()),
    )
    return ImageResult(draw(picture), sun, moon, inset is not None)
