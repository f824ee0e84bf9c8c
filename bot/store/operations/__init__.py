"""Repositories of what operators need: incidents, webhook calls, heartbeats."""
