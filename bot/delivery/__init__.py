"""The outbox's worker: renders the newest state, sends it to Slack, records the outcome."""
