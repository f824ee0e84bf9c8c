"""Why a test of published data is skipped where the data aren't, and what can be done about it.

The collections lie beside the checkout, in ../shared; they are others' data, and not part of the repository.
"""

from __future__ import annotations

NO_MESSAGES = (
    "../shared/gcn, a collection of published messages, isn't part of this repository; nothing needs to be "
    "done: the tests with made messages cover the same code (each circular is at "
    "gcn.nasa.gov/circulars/NUMBER.json)"
)
NO_POINTINGS = (
    "../shared/pointings, DECam's pointings of S251112cm, isn't part of this repository; nothing needs to be "
    "done: the tests with made pointings cover the same code (treasuremap.space has the real ones)"
)
