"""The demo: a story of notices played on an embedded broker and the local Slack."""
