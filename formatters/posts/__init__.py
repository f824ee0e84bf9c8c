"""What a channel receives without asking."""
