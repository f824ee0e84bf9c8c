"""Commands whose help shows a switch (`--once`) as what it is: without a value.

Typer 0.29 prints `<bool>` behind each, `--help` too, as if one had to be given.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class SwitchCommand(TyperCommand):
    """A command of `gwevent`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, the switches among them without a type."""
        return _without_types(super().get_params(ctx))


class SwitchGroup(TyperGroup):
    """A group of commands, or `gwevent` itself."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, the switches among them without a type."""
        return _without_types(super().get_params(ctx))


def _without_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters
