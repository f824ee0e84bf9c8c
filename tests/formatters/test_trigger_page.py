"""Tests of links to an external trigger's page: linked only where a lasting public page exists."""

from dataclasses import replace

import pytest

from formatters.models.notice import ExternalCoincidence
from formatters.posts.event_buttons import link_buttons
from tests.formatters.conftest import notice


def urls(observatory: str, search: str, number: str | None, superevent_id: str = "S261122a") -> list[str]:
    external = ExternalCoincidence(
        observatory=observatory,
        search=search,
        gcn_notice_id=number,
        ivorn=None,
        time_difference=1.7,
        time_coincidence_far=None,
        time_sky_position_coincidence_far=None,
    )
    block = link_buttons(replace(notice(), superevent_id=superevent_id, external=external))
    assert block is not None
    return [str(element["url"]) for element in block["elements"] if element["action_id"] == "link.trigger"]


def test_an_onboard_trigger_has_its_page() -> None:
    assert urls("Fermi", "GRB", "524666471") == ["https://gcn.gsfc.nasa.gov/other/524666471.fermi"]
    assert urls("Swift", "GRB", "1104343") == ["https://gcn.gsfc.nasa.gov/other/1104343.swift"]


@pytest.mark.parametrize(
    ("observatory", "search", "number"),
    [
        ("Swift", "SubGRBTargeted", "754189311"),
        ("Fermi", "SubGRB", "5"),
        ("SVOM", "GRB", "sb25010101"),
        ("Fermi", "GRB", "../x"),
        ("Fermi", "GRB", None),
    ],
)
def test_other_searches_have_no_trigger_page(observatory: str, search: str, number: str | None) -> None:
    assert urls(observatory, search, number) == []


def test_mock_has_no_trigger_page() -> None:
    assert urls("Fermi", "GRB", "524666471", "MS261122a") == []
