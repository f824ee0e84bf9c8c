"""Opens the operator's file of instruments."""

from __future__ import annotations

from pathlib import Path

import structlog

from bot.observing.instruments import Instruments, InvalidInstruments, load_instruments

log = structlog.get_logger(__name__)


def open_instruments(path: Path | None) -> Instruments:
    """Return the built-in instruments and those of a file.

    A file that can't be used is logged and left out: alerts don't wait for a camera.
    """
    try:
        return load_instruments(path)
    except InvalidInstruments as error:
        log.error("instruments_not_read", reason=str(error))
        return Instruments()
