"""Reads the operator's file of instruments (`GWEVENT_INSTRUMENTS_FILE`)."""

from __future__ import annotations

from pathlib import Path

import structlog

from bot.observing.fixed_fields import Centres, InvalidFields, parse_fixed_fields
from bot.observing.instruments import (
    MAX_FILE_BYTES,
    Instrument,
    Instruments,
    InvalidInstruments,
    parse_instruments,
)

log = structlog.get_logger(__name__)


def read_instruments(path: Path) -> tuple[Instrument, ...]:
    """Return the instruments of a file, with the fixed fields of the files that it names, beside it.

    Raises InvalidInstruments, whose text names the file.
    """

    def read_fields(name: str) -> Centres:
        try:
            content = _read(path.parent / name)
            if len(content) > MAX_FILE_BYTES:
                raise InvalidFields(f"it is larger than {MAX_FILE_BYTES // 1_000_000} MB")
            return parse_fixed_fields(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise InvalidFields(f"{name}: it isn't UTF-8 text") from None
        except (InvalidFields, ValueError) as error:
            raise InvalidFields(f"{name}: {error}") from error
        except OSError as error:
            raise InvalidFields(f"{name} can't be read: {error.strerror or error}") from error

    try:
        content = _read(path)
    except OSError as error:
        raise InvalidInstruments(f"{path} can't be read: {error.strerror or error}") from error
    try:
        return parse_instruments(content, path.name, read_fields)
    except InvalidInstruments as error:
        raise InvalidInstruments(f"{path}: {error}") from error


def _read(path: Path) -> bytes:
    """Read a file, and no more of it than tells that it is too large. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


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
