"""Draw gwevent's icon: a chirp in a speech bubble. Writes icon.svg and icon.png (512 px) beside this file.

.venv-test/bin/python deploy/pictures/icon.py
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 512
GROUND, BUBBLE, CHIRP = "#2b1a4f", "#ffffff", "#6a2bd9"
LEFT, TOP, RIGHT, BOTTOM, RADIUS = 52, 72, 460, 388, 72
TAIL = ((128, 380), (236, 380), (128, 462))
"""The tip of the bubble, a triangle."""
STROKE = 19
MERGER_AT = 0.74
"""Where the two bodies merge, as a part of the chirp's width."""
OVERSAMPLING = 4


def chirp() -> list[tuple[float, float]]:
    """Return the points of the waveform.

    The phase of the inspiral goes with the 5/8th power of the time left, its amplitude with the -1/4th; after
    the merger the wave rings down.
    """
    points = []
    for step in range(241):
        x = step / 240
        left = max(MERGER_AT - x, 0.0)
        phase = 2 * math.pi * 3.6 * (MERGER_AT**0.625 - left**0.625)
        amplitude = 0.4 * (left + 0.02) ** -0.25
        if x > MERGER_AT:
            phase += 2 * math.pi * 6.5 * (x - MERGER_AT)
            amplitude *= math.exp(-(x - MERGER_AT) / 0.09)
        points.append((98 + 316 * x, 230 - 102 * amplitude * math.sin(phase)))
    return points


def to_svg() -> str:
    """Return the icon as SVG, one shape a line."""
    width, height = RIGHT - LEFT, BOTTOM - TOP
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in chirp())
    tail = " ".join(f"{x},{y}" for x, y in TAIL)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}">',
            f'<rect width="{SIZE}" height="{SIZE}" rx="96" fill="{GROUND}"/>',
            f'<rect x="{LEFT}" y="{TOP}" width="{width}" height="{height}" rx="{RADIUS}" fill="{BUBBLE}"/>',
            f'<polygon points="{tail}" fill="{BUBBLE}"/>',
            f'<polyline points="{line}" fill="none" stroke="{CHIRP}" stroke-width="{STROKE}"'
            ' stroke-linecap="round" stroke-linejoin="round"/>',
            "</svg>\n",
        )
    )


def to_image() -> Image.Image:
    """Return the icon with square corners, as Slack wants it: it rounds them itself."""
    scale = OVERSAMPLING
    image = Image.new("RGB", (SIZE * scale, SIZE * scale), GROUND)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle([scale * edge for edge in (LEFT, TOP, RIGHT, BOTTOM)], RADIUS * scale, fill=BUBBLE)
    draw.polygon([(x * scale, y * scale) for x, y in TAIL], fill=BUBBLE)
    points = [(x * scale, y * scale) for x, y in chirp()]
    draw.line(points, fill=CHIRP, width=STROKE * scale, joint="curve")
    reach = STROKE * scale / 2
    for x, y in points:
        draw.ellipse([x - reach, y - reach, x + reach, y + reach], fill=CHIRP)
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    folder = Path(__file__).parent
    (folder / "icon.svg").write_text(to_svg(), encoding="utf-8")
    to_image().quantize(64).save(folder / "icon.png", optimize=True)
