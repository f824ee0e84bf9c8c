"""Checks of a deployment; each returns findings and changes nothing."""
