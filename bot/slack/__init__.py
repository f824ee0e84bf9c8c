"""Transport to Slack: Web API, Socket Mode, HTTP requests, OAuth, middleware. It knows no alerts."""
