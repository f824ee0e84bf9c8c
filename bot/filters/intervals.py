"""Intervals of exact numbers with open or closed ends."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf

Number = Fraction | float
"""A finite number is a Fraction; the float is infinity."""


@dataclass(frozen=True, slots=True)
class NumberInterval:
    """All numbers between two ends."""

    low: Number
    high: Number
    is_low_open: bool = False
    is_high_open: bool = False

    @property
    def is_empty(self) -> bool:
        """True if no number lies in it."""
        return self.low > self.high or (
            self.low == self.high and (self.is_low_open or self.is_high_open or self.low == inf)
        )

    def __and__(self, other: NumberInterval) -> NumberInterval:
        """Return the numbers that lie in both."""
        low, is_low_open = max((self.low, self.is_low_open), (other.low, other.is_low_open))
        high, is_high_closed = min((self.high, not self.is_high_open), (other.high, not other.is_high_open))
        return NumberInterval(low, high, is_low_open, not is_high_closed)

    def __add__(self, other: NumberInterval) -> NumberInterval:
        """Return the sums of a number of each; both are not empty."""
        return NumberInterval(
            self.low + other.low,
            self.high + other.high,
            self.is_low_open or other.is_low_open,
            self.is_high_open or other.is_high_open,
        )

    def subtracted_from(self, number: Fraction) -> NumberInterval:
        """Return the differences of a number and each number of the interval."""
        return NumberInterval(number - self.high, number - self.low, self.is_high_open, self.is_low_open)

    def __mul__(self, other: NumberInterval) -> NumberInterval:
        """Return the products of a number of each; both are not empty, and hold no negative numbers."""
        is_zero_low = any(one.low == 0 and not one.is_low_open for one in (self, other))
        is_zero_high = any(one.high == 0 for one in (self, other))
        return NumberInterval(
            self.low * other.low,
            self.high * other.high,
            not is_zero_low and (self.is_low_open or other.is_low_open),
            not is_zero_high and (self.is_high_open or other.is_high_open),
        )

    def __contains__(self, number: Number) -> bool:
        return (
            self.low <= number <= self.high
            and not (self.is_low_open and number == self.low)
            and not (self.is_high_open and number == self.high)
        )


def exact(number: float) -> Fraction:
    """Return a number as it is written: 0.1 is a tenth."""
    return Fraction(repr(float(number)))
