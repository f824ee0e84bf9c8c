"""Messages that gwevent posts in a channel or to a person without being asked."""
