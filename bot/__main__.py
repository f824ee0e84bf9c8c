"""`python -m bot` is `gwevent`."""

from bot.cli import main

main()
