"""Messages, notices and findings as text for a terminal."""
