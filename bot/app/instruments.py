"""Reads the operator's file of instruments (`GWEVENT_INSTRUMENTS_FILE`)."""

from __future__ import annotations

from pathlib import Path

import structlog

from bot.observing.instruments import (
    MAX_FILE_BYTES,
    Instrument,
    Instruments,
    InvalidInstruments,
    parse_instruments,
)

log = structlog.get_logger(__name__)


def read_instruments(path: Path) -> tuple[Instrument, ...]:
    """Return the instruments of a file. Raises InvalidInstruments, whose text names the file."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidInstruments(f"{path} can't be read: {error.strerror or error}") from error
    try:
        return parse_instruments(content, path.name)
    except InvalidInstruments as error:
        raise InvalidInstruments(f"{path}: {error}") from error


def open_instruments(path: Path | None) -> Instruments:
    """Return the built-in instruments and those of a file.

    A file that can't be used is logged and left out: alerts don't wait for a camera.
    """
    if path is None:
        return Instruments()
    try:
        return Instruments(read_instruments(path))
    except InvalidInstruments as error:
        log.error("instruments_not_read", reason=str(error))
        return Instruments()
