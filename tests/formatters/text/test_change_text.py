from dataclasses import replace
from typing import Any

import pytest

from formatters.models.observing import ChannelSites, Site
from formatters.text.change_text import site_differences

PALOMAR = Site(name="Palomar", latitude=33.3563, longitude=-116.865, height=1706)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latitude": 33.4}, "Palomar moved"),
        ({"longitude": -116.0, "height": 1700}, "Palomar moved, height 1706 → 1700 m"),
        ({"radio": True}, "Palomar now a radio site"),
        # Another time zone moves no telescope.
        ({"zone": "America/Los_Angeles"}, "Palomar time zone none → America/Los_Angeles"),
    ],
)
def test_a_site_that_kept_its_name_says_what_changed(changes: dict[str, Any], words: str) -> None:
    before, after = (
        ChannelSites(sites=(PALOMAR,)),
        ChannelSites(sites=(replace(PALOMAR, **changes),)),
    )
    undo = "add Palomar 33.3563 -116.865 1706"
    assert site_differences(before, after) == [(words, undo)]
    assert site_differences(before, before) == []
