"""The process that draws: how the bot talks to it, and how it is replaced when it hangs or dies."""
