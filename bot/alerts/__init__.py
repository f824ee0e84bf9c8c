"""From bytes to facts: decoding of notices, measuring of sky maps, notices made by formula."""
