"""Messages that answer `/gwevent` commands."""
