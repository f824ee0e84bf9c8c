"""The types of settings, and the checks of their values."""
