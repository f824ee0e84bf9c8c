"""What people do in Slack: acknowledge it, call a command or a service, show the answer."""
