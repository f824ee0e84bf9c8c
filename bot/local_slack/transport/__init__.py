"""How the local Slack reaches an app: Socket Mode, signed requests, response URLs, files."""
