"""The methods of the Web API, grouped by Slack's method families."""
