"""Checks of blocks against Slack's documented limits."""
