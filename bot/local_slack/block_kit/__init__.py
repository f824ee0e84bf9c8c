"""Checks blocks against Slack's documented limits."""
