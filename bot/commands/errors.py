"""Errors that a command answers with one sentence."""

from __future__ import annotations

from bot.filters import FilterSyntaxError
from formatters.answers import help as helping
from formatters.blockkit.message import Message


class CommandError(FilterSyntaxError):
    """The arguments of a command are invalid; the text is one sentence for the person who typed them."""


def store_unavailable() -> Message:
    """Return the answer while the database cannot be reached."""
    return helping.error_message(
        "The store doesn't answer right now; alerts wait for it and aren't lost. Try again."
    )
