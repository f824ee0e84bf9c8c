"""Callbacks for where nobody wants to be called or asked; each takes any positional arguments."""

from __future__ import annotations


def no_op(*_arguments: object) -> None:
    """Do nothing: a listener where nobody listens."""


def always(*_arguments: object) -> bool:
    """Return True."""
    return True


def never(*_arguments: object) -> bool:
    """Return False."""
    return False


def nothing(*_arguments: object) -> None:
    """Return None: the answer where what is asked for doesn't exist."""
    return
