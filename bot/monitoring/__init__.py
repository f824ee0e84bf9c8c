"""Silence, health, metrics, and who is woken: the bot looks after itself."""
