"""Let tilepy choose pointings, in a process of its own: its dependencies aren't gwevent's.

Run with tilepy on PYTHONPATH: python tests/support/tilepy_pointings.py TASK.npz RESULT.json. It is given the
same dark slots; at each it takes the field that holds the most then, a circle, Moon not regarded.
"""

from __future__ import annotations

import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


def main() -> None:
    """Read the task, run tilepy's PGWinFoV, write [[ra, dec], …]."""
    task = np.load(sys.argv[1])
    determination: Any = importlib.import_module("tilepy.include.TilingDetermination")
    campaign: Any = importlib.import_module("tilepy.include.CampaignDefinition")
    units: Any = importlib.import_module("astropy.units")
    iers: Any = importlib.import_module("astropy.utils.iers")
    iers.conf.auto_download = False
    iers.conf.auto_max_age = None
    iers.conf.iers_degraded_accuracy = "ignore"
    nside, reduced = int(task["nside"]), int(task["reduced"])
    obspar = campaign.ObservationParameters(
        obs_name="site",
        lat=float(task["latitude"]) * units.deg,
        lon=float(task["longitude"]) * units.deg,
        height=float(task["height"]) * units.m,
        maxZenith=90 - float(task["altitude"]),
        FOV=float(task["radius"]),
        maxRuns=int(task["count"]),
        maxNights=1,
        duration=float(task["minutes"]),
        minDuration=1,
        useGreytime=False,
        minProbcut=1e-6,
        secondRound=False,
        percentageMOC=0.99,
        reducedNside=reduced,
        HRnside=nside,
        minMoonSourceSeparation=0,
        algorithm="2D",
        obsTime=datetime.fromtimestamp(float(task["slots"][0]), UTC).replace(tzinfo=None),
    )
    maps = {nside: task["probability"], reduced: task["reduced_probability"]}
    skymap = SimpleNamespace(
        getMap=lambda _, size: maps[size],
        scheme="NESTED",
        is_nested=True,
        getPixIdArea=lambda *_: np.arange(12 * reduced**2),
    )
    slots = [datetime.fromtimestamp(one, UTC).replace(tzinfo=None) for one in task["slots"].tolist()]
    determination.NightDarkObservation = lambda *_: slots
    table, _ = determination.PGWinFoV(skymap, "event", obspar, ".")
    rows = [[float(row["RA[deg]"]), float(row["DEC[deg]"])] for row in table]
    Path(sys.argv[2]).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
