"""Commands for the keys that encrypt stored Slack tokens (GWEVENT_SECRET_KEYS)."""

from __future__ import annotations

import typer

from bot.cli.runner import fail, load_settings, run_async


def new_key() -> None:
    """Make a key for GWEVENT_SECRET_KEYS."""
    from bot.slack import token_cipher

    try:
        typer.echo(token_cipher.generate_key())
    except token_cipher.InvalidKeys as error:
        fail(str(error))


def rotate_keys() -> None:
    """Encrypt the stored tokens of all workspaces again, with the first of GWEVENT_SECRET_KEYS."""
    from bot.app.factory import open_factory
    from bot.settings import SettingsError
    from bot.slack.token_cipher import InvalidKeys, TokenCipher

    settings = load_settings()

    async def work() -> None:
        if not settings.token_keys:
            raise SettingsError("GWEVENT_SECRET_KEYS isn't set, so there is nothing to encrypt with.")
        try:
            cipher = TokenCipher([key.get_secret_value() for key in settings.token_keys])
            async with open_factory(settings, create=False) as factory:
                count = await factory.installations.reencrypt_tokens(cipher.rotate)
        except InvalidKeys as error:
            raise SettingsError(str(error)) from error
        typer.echo(f"{count} tokens are encrypted with the first key; the others aren't needed any more.")

    run_async(work())
