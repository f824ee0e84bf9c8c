"""Block Kit: limits, escaping, blocks, and the message type."""
