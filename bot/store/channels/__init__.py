"""Repositories of the data of channels and workspaces: subscriptions, sites, mentions, installations."""
