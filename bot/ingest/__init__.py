"""The way in: from a source's payload to a stored notice with its plan."""
