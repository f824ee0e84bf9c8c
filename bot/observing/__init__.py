"""Telescopes, the night and the ephemeris; pure."""
