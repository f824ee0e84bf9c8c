"""Criteria sets: rules with grades, judged for a superevent. Pure."""
