"""Messages, notices and doctor findings as text for a terminal."""
