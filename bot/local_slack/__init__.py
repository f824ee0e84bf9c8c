"""A local Slack on loopback, for the demo and the tests: Web API, Socket Mode and a page for the browser.

It is stricter than Slack, never kinder: what passes here is meant to pass there.
"""
