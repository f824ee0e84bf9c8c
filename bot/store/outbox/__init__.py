"""The transactional outbox: what is to be posted, who posts it, what came of it."""
