"""Frozen domain models that several formatters share, and the rules about them; no user-facing wording.

They live here and not in `bot`, because `formatters` imports nothing from `bot`.
"""
