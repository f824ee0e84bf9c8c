"""Decides who gets what; pure."""
