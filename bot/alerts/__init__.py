"""Decoding of alerts: payload bytes to a Notice or a Circular; only this package knows the schemas."""
