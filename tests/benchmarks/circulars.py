"""Positions in texts of 1 MB, made to be slow. Run it: python tests/benchmarks/circulars.py."""

from __future__ import annotations

import random
import statistics
import time

from bot.related_messages.positions_in_text import find_positions

SIZE = 1_000_000
ROUNDS = 3
AIM = 100
"""ms for any text."""


def texts() -> dict[str, str]:
    """Return texts of 1 MB by what they are made of."""
    source = random.Random(13)
    pieces = {
        "sentences": "AT2023abc is at RA = 197.45, Dec = -23.38 with an error of 0.5 deg (90%)\n",
        "prose": "We observed the candidate with the telescope in r band, r = 20.1 at 12:34:56 UT. ",
        "labels": "RA ",
        "headers": "Name RA Dec mag\n",
        "tables": "Name RA Dec\n" + "AT2023abc 197.45 -23.38\n" * 5,
        "rows": "AT2023abc 197.45 -23.38 ",
        "hours": "12h34m56.7s ",
        "colons": "12:34:56.7 ",
        "bars": "| RA | Dec |\n",
        "one digit": "1",
        "blanks": " ",
        "open parentheses": "RA = 1.0 (",
        "RA and Dec far apart": f"RA{' ' * 58}Dec\n",
    }
    noise = "".join(source.choices("RADec=:.,-+ 0123456789hms°'\"\n|()", k=SIZE))
    return {name: (piece * (SIZE // len(piece) + 1))[:SIZE] for name, piece in pieces.items()} | {
        "noise": noise
    }


def main() -> None:
    """Print the median of each text."""
    print(f"{'text':24}{'ms':>8}   aim: {AIM} ms each")
    for name, text in texts().items():
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            find_positions(text)
            times.append((time.perf_counter() - start) * 1000)
        print(f"{name:24}{statistics.median(times):8.1f}")


if __name__ == "__main__":
    main()
