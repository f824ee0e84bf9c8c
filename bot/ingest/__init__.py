"""The one way in: from a source's payload to a stored plan."""
