"""Answers questions about stored sky maps, outside the event loop, with a cache."""
