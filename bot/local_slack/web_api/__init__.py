"""The Web API's methods, grouped as Slack groups them."""
