"""Operating-system and asyncio helpers: clocks, timeouts, threads, child processes, polling loops, proxies.

The lowest layer: it imports nothing else of `bot`, so that every package may use it.
"""
