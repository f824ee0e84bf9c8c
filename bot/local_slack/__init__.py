"""A local Slack on loopback, for the demo and the tests: Web API, Socket Mode and a page for the browser.

It is at least as strict as Slack, so that whatever it accepts Slack should accept too.
"""
