"""Lengths of time that false-alarm rates are counted in."""

YEAR = 365.25 * 86_400
"""A Julian year, s."""
MONTH = YEAR / 12
"""A twelfth of a Julian year, s."""
