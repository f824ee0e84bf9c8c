"""The attributes of a superevent that filters use."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given

from bot.filters import (
    extract_attributes,
    matches,
    parse_criteria,
)
from bot.filters.event_attributes import MASS_BINS_KEY, EventAttributes
from formatters.models.notice import MassBins
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


def test_what_an_older_version_wrote_has_no_bins() -> None:
    attributes = extract_attributes(Superevent.from_notices([decoded_notice()]))
    assert attributes is not None
    stored = json.loads(attributes.to_json())
    del stored[MASS_BINS_KEY]
    assert EventAttributes.from_json(attributes.superevent_id, json.dumps(stored)) == attributes


def test_only_bins_between_the_first_and_the_last_with_a_probability_are_kept() -> None:
    notice = decoded_notice()
    assert notice.event is not None
    bins = MassBins(bin_edges=(0.1, 1.0, 2.0, 3.0, 4.0, 9.0), probabilities=(0.0, 0.5, 0.0, 0.5, 0.0))
    event = replace(notice.event, mchirp_source=bins)
    found = extract_attributes(Superevent.from_notices([replace(notice, event=event)]))
    assert found is not None
    assert found.mass_bins == MassBins(bin_edges=(1.0, 2.0, 3.0, 4.0), probabilities=(0.5, 0.0, 0.5))
