"""Repositories of what belongs to a channel or a workspace."""
