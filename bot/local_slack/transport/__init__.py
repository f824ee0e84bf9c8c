"""Transports between the local Slack and an app: Socket Mode, signed requests, response URLs, files."""
