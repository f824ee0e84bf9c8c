"""Everything that touches wire, clock, disk or secret."""

__version__ = "0.1.0"
