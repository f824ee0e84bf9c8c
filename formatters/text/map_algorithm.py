"""The program that made a sky map, as people name it."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import ASSEMBLED_FROM, Notice

_ALGORITHMS = {
    "amplfi": "AMPLFI",
    "bayestar": "BAYESTAR",
    "bilby": "Bilby",
    "cwb": "cWB",
    "lalinference": "LALInference",
    "mly": "MLy",
    "olib": "oLIB",
    "rapidpe_rift": "RapidPE-RIFT",
    "rift": "RIFT",
}
"""Algorithms by the start of the map's file name, or by CREATOR in its header; case-folded."""
_CONVERTERS = frozenset(
    {"ligo-skymap-from-samples", "ligo-skymap-flatten", "ligo-skymap-unflatten", "gwcelery"}
)
"""Programs in CREATOR that only write the map down, so that the algorithm stays unknown; case-folded."""
_MAX_CHARS = 24


def map_algorithm(notice: Notice) -> str | None:
    """Return the algorithm of a notice's GW map: "BAYESTAR", "Bilby"; None without a map or if it is unknown.

    The file's name counts first, where the notice gives one and it is known: a map from posterior samples
    names in its header only the program that converted them. A creator in no list is named as it stands.
    """
    if notice.localization is None:
        return None
    for name in _map_file_names(notice):
        known = _ALGORITHMS.get(name.partition(".")[0].casefold())
        if known is not None:
            return known
    creator = notice.localization.creator
    if creator is None or creator.casefold() in _CONVERTERS:
        return None
    return _ALGORITHMS.get(creator.casefold(), plain_text(creator, _MAX_CHARS)) or None


def _map_file_names(notice: Notice) -> list[str]:
    """Return the names of the files of which one is the GW map, without folder."""
    address = notice.urls.get("skymap")
    if address is not None:
        return [unquote(_path(address)).rpartition("/")[2]]
    listed = notice.published.get(ASSEMBLED_FROM)
    names = listed if isinstance(listed, list | tuple) else []
    # Beside the map stand the files of classes, such as "RapidPE_RIFT.p_astro.json".
    return [name for name in names if isinstance(name, str) and ".fits" in name]


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""
