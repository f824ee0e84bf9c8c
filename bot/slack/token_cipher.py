"""Encrypt bot tokens at rest: with the newest key; decrypt with any configured key."""

from __future__ import annotations

from collections.abc import Sequence


class InvalidKeys(ValueError):
    """The keys are invalid, or none of them decrypts a stored token; the message is one sentence."""


class TokenCipher:
    """Encrypts and decrypts bot tokens (Fernet: AES-128-CBC, HMAC-SHA256; cryptography.io/en/latest)."""

    def __init__(self, keys: Sequence[str]) -> None:
        """The first key encrypts, every key decrypts. Raises InvalidKeys."""
        try:
            from cryptography.fernet import Fernet, MultiFernet
        except ModuleNotFoundError as error:
            raise InvalidKeys(
                "Tokens are encrypted with the package cryptography: pip install 'gwevent-bot[workspaces]'."
            ) from error
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            # The message must not contain the key.
            raise InvalidKeys(
                "GWEVENT_SECRET_KEYS must be one or more Fernet keys with commas between; "
                "gwevent new-key makes one."
            ) from error

    def encrypt(self, secret: str) -> str:
        """Encrypt with the first key; ASCII, about twice as long plus 100 characters."""
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Decrypt. Raises InvalidKeys if no key fits."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(encrypted.encode()).decode()
        except InvalidToken as error:
            raise InvalidKeys(
                "None of GWEVENT_SECRET_KEYS opens a stored token; keep old keys behind the new one until"
                " gwevent rotate-keys has run."
            ) from error

    def rotate(self, encrypted: str) -> str:
        """Decrypt with any key and encrypt with the first one. Raises InvalidKeys."""
        return self.encrypt(self.decrypt(encrypted))


def generate_key() -> str:
    """Return a new key. Raises InvalidKeys if the package cryptography is missing."""
    try:
        from cryptography.fernet import Fernet
    except ModuleNotFoundError as error:
        raise InvalidKeys(
            "Keys are made with the package cryptography: pip install 'gwevent-bot[workspaces]'."
        ) from error
    return Fernet.generate_key().decode()
