"""The attributes of a superevent that filters use."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from bot.filters import (
    extract_attributes,
    matches,
    parse_criteria,
)
from bot.filters.event_attributes import EventAttributes
from formatters.models.superevent import Superevent
from tests.support.factories import decoded_notice
from tests.support.filter_strategies import GRB, stated


def test_an_alert_significant_by_coincidence_passes_by_its_joint_far() -> None:
    weak = decoded_notice(far=3e-5)
    for notice, passes in (
        (weak, False),
        (replace(weak, external=GRB), True),
        (decoded_notice(far=9e-8), False),
    ):
        assert matches(parse_criteria("CBC far<1/yr"), Superevent.from_notices([notice])) is passes
    strong = extract_attributes(Superevent.from_notices([replace(decoded_notice(far=1e-9), external=GRB)]))
    assert strong is not None and strong.far == 1e-9 and not strong.far_is_joint
    for search, group, passes in (("SSM", "CBC", True), ("AllSky", "Burst", True), ("BBH", "Burst", False)):
        middling = replace(decoded_notice(far=9e-8, search=search, group=group), external=GRB)
        assert matches(parse_criteria("far<1/yr"), Superevent.from_notices([middling])) is passes
    lone = replace(GRB, time_sky_position_coincidence_far=None)
    attributes = extract_attributes(Superevent.from_notices([replace(weak, external=lone)]))
    assert attributes is not None and attributes.far == 2e-10 and attributes.far_is_joint


@given(stated)
def test_attributes_are_kept_as_json(attributes: EventAttributes) -> None:
    assert EventAttributes.from_json(attributes.superevent_id, attributes.to_json()) == attributes
