"""Units of time for false-alarm rates."""

YEAR = 365.25 * 86_400
"""A Julian year in seconds."""
MONTH = YEAR / 12
"""A twelfth of a Julian year, in seconds."""
