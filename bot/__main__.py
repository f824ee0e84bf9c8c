"""`python -m bot` is `gwevent`."""

from bot.cli.main import main

main()
