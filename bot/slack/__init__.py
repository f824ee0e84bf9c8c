"""Slack's API: posting through the ledger, and answering who asks."""
