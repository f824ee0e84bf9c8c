"""Services on the sky maps of stored notices, off the event loop: cache, queries, observability, images."""
