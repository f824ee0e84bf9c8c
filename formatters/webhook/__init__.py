"""The request bodies that the webhook sends."""
