"""Frozen models used by more than one formatter, and the rules about them; no wording.

The domain model lives here because `formatters` imports nothing of `bot`.
"""
