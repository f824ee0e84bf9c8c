"""Numbers, units, vocabulary and lines of facts as plain text, not escaped for Slack."""
