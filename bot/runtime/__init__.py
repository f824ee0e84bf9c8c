"""What time it is, how much of it went by, and who may rely on it: clocks jump, processes are paused."""
