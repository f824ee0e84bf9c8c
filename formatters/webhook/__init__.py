"""The bodies that the webhook sends."""
