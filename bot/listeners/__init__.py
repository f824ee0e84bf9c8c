"""Bolt listeners, and the services behind App Home and the subscription modal. They hold no rules."""
