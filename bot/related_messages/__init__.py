"""Messages beside notices: a payload's bytes to a related message or a nearby alert. Pure."""
