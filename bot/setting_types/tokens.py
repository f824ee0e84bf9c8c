"""Tokens in settings that go into a header of HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, SecretStr


def check_header_token(token: SecretStr) -> SecretStr:
    """Return a token without blanks around it. Raises ValueError, whose text can be shown."""
    value = token.get_secret_value().strip()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("it must be a token of letters, digits and signs, without blanks")
    return SecretStr(value)


HeaderToken = Annotated[SecretStr, AfterValidator(check_header_token)]
"""A token that can stand in a header."""
