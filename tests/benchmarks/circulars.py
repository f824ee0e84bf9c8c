"""Circulars of 1 MB, made to be slow: the positions in the text, and all of the decoding.

Run it: python tests/benchmarks/circulars.py.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from bot.related_messages.circular import decode_circular
from bot.related_messages.positions_in_text import find_positions
from bot.related_messages.recognition import recognize
from bot.samples import circular

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
        "ids": "S261122a ",
        "many ids": "the LVK event S261122",
        "JSON": 'a, [b] {c} "d" \\ ',
    }
    noise = "".join(source.choices("RADec=:.,-+ 0123456789hms°'\"\n|()", k=SIZE))
    return {name: (piece * (SIZE // len(piece) + 1))[:SIZE] for name, piece in pieces.items()} | {
        "noise": noise
    }


def decode_all(body: bytes) -> object:
    """Do all that the pipeline does with the bytes of a circular whose subject names no event."""
    return recognize(body), decode_circular(body)


def median_ms(task: Callable[[], object]) -> float:
    """Return the median time of a task in ms."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        task()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main() -> None:
    """Print the medians of each text."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    print(f"{'text':24}{'positions':>12}{'all':>8}   ms, aim: {AIM} each")
    for name, text in texts().items():
        body = circular("", created=now, title="Observations", body=text)
        positions, whole = median_ms(partial(find_positions, text)), median_ms(partial(decode_all, body))
        print(f"{name:24}{positions:12.1f}{whole:8.1f}")


if __name__ == "__main__":
    main()
