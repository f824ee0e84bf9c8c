"""What was announced, and how it is said: pure nouns and their faces; no wire, clock, disk or secret."""
