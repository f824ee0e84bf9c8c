"""Everything that touches wire, clock, disk or secret."""
