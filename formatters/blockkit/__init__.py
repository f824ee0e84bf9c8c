"""Block Kit: limits, escaping, blocks, the message type."""
