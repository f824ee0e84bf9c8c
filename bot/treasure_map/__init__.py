"""The Treasure Map: what other groups point at, read by a client, converted and kept up to date."""
