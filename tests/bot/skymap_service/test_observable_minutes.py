"""The deployment's setting of how long a tile must be up reaches the answers and the filters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.observing.observatories import find_site
from bot.samples import to_avro
from bot.samples.skymaps import sky_map
from bot.settings import Settings
from bot.skymap_service.cache import NoticeMaps
from bot.skymaps.skymap import read_sky_map
from formatters.models.filter import SiteQuery
from formatters.models.observing import MIN_UP, ObservingConstraints
from tests.support.factories import notice_record

DUSK = datetime(2026, 11, 22, 22, tzinfo=UTC)
SETTING = (300.0, 30.0)
"""A field that sets at Palomar some time after dusk."""


def test_the_setting_is_twenty_minutes_unless_another_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load(None).min_up == MIN_UP == timedelta(minutes=20)
    monkeypatch.setenv("GWEVENT_OBSERVABLE_MINUTES", "0")
    assert Settings.load(None).min_up == timedelta(0)


async def test_answers_and_filters_use_the_setting(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    skymap = read_sky_map(
        sky_map([(*SETTING, 1.0, 0.5)], superevent_id="S261122a", time=DUSK, base_order=3, rounds=2)
    )
    shares = []
    for minutes in (0, 600):
        other = Factory(factory.database, timedelta(minutes=minutes))

        async def get(_: object) -> NoticeMaps:
            return NoticeMaps(skymap, None)

        monkeypatch.setattr(other.skymap_cache, "get", get)
        one = decode(to_avro(notice_record()))
        answer = await other.observability.get(one, [find_site("Palomar")], ObservingConstraints(), DUSK)
        asked = await other.skymap_queries.probabilities(one.key, [SiteQuery("Palomar")], DUSK)
        assert answer is not None and answer.min_up == timedelta(minutes=minutes)
        assert asked[SiteQuery("Palomar")] == pytest.approx(answer.sites[0].probability)
        shares.append(answer.sites[0].probability)
    assert shares[0] > 0.9 and shares[1] == 0
