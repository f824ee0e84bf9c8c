"""The id that takes a person's place once they were forgotten."""

from __future__ import annotations

FORGOTTEN = "USLACKBOT"
"""Stored in place of the id of a person who was forgotten: Slackbot's, which every version can read."""
FORGOTTEN_WORDS = "a forgotten person"
"""The words that people read in its place."""
