"""The SQLite file under the bot: whether what is written there is what a restart would open."""
