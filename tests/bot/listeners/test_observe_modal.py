"""The modal of "I'm observing", on the local Slack with the real bot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.observing.observatories import find_site
from bot.store.database import StoreUnavailable
from formatters.models.observation import ObservationStatus
from formatters.models.pointing import Telescope
from tests.bot.listeners.test_subscription_modal import block, words
from tests.support.factories import AUTHOR, REAL, TEAM, Clock, decoded_notice, record_notices, subscribe
from tests.support.observing import PATIENCE_S, observed, open_dialog, say_observing

PALOMAR = find_site("Palomar")
FIELDS = "f1 197.45 -23.38\nf2 198.45 -23.38"


@pytest.fixture
async def card(bot: Application, local_slack: LocalSlack, factory: Factory) -> tuple[str, str]:
    """An alert's message: its channel and ts. ZTF is the channel's only telescope."""
    channel = local_slack.add_channel("gw")
    telescope = Telescope(
        site=PALOMAR.name,
        footprint=factory.instruments.parse("ZTF"),
        exposure=timedelta(seconds=30),
        overhead=timedelta(seconds=10),
    )
    await factory.sites.add(local_slack.team_id, channel, [PALOMAR], AUTHOR, [telescope])
    await subscribe(factory, "CBC", channel)
    await record_notices(factory, decoded_notice())
    bot.delivery_worker.wake()
    await local_slack.wait_for(
        lambda: any("observe.toggle" in words(one) for one in local_slack.messages(channel)), PATIENCE_S
    )
    (root,) = [one for one in local_slack.messages(channel) if "observe.toggle" in words(one)]
    return channel, root["ts"]


async def states(factory: Factory, channel: str) -> list[tuple[str, ObservationStatus, int]]:
    found = await factory.observations.for_event(TEAM, channel, REAL)
    return [(one.instrument, one.status, len(one.fields)) for one in found]


async def test_the_dialog_offers_the_channels_telescope_and_stores_what_is_done(
    local_slack: LocalSlack, factory: Factory, card: tuple[str, str]
) -> None:
    view = await open_dialog(local_slack, *card)
    assert view["title"]["text"] == "I'm observing" and REAL in words(view["blocks"])
    select = block(view, "instrument")
    assert select["initial_option"]["text"]["text"] == "ZTF"
    labels = [one["text"]["text"] for one in select["options"]]
    assert labels[0] == "ZTF" and labels[-1] == "Without a telescope" and "DECam" in labels
    done = observed("ZTF", "done", fields=FIELDS, band="r", depth="21.5", time="now", note="cirrus")
    assert (await local_slack.submit(done)).ok
    await local_slack.wait_for(lambda: "has done 2 fields in r to 21.5 mag" in words(local_slack.view()))
    (found,) = await factory.observations.for_event(TEAM, card[0], REAL)
    assert (found.band, found.depth, found.note) == ("r", 21.5, "cirrus")
    assert found.footprint == factory.instruments.parse("ZTF") and len(found.fields) == 2


@pytest.mark.slow
async def test_the_card_shows_it_half_a_minute_later(
    local_slack: LocalSlack, bot: Application, clock: Clock, card: tuple[str, str]
) -> None:
    await open_dialog(local_slack, *card)
    assert (await local_slack.submit(observed("ZTF", "done", fields=FIELDS, band="r", time="now"))).ok
    await local_slack.wait_for(lambda: "has done 2 fields" in words(local_slack.view()))
    clock.advance(seconds=29)
    bot.delivery_worker.wake()
    assert "Observing:" not in words(local_slack.messages(card[0]))
    clock.advance(seconds=2)
    bot.delivery_worker.wake()
    await local_slack.wait_for(
        lambda: "Observing: ZTF done" in words(local_slack.messages(card[0])), PATIENCE_S
    )


async def test_what_cannot_be_read_is_marked_at_its_input(
    local_slack: LocalSlack, factory: Factory, card: tuple[str, str]
) -> None:
    await open_dialog(local_slack, *card)
    wrong = await local_slack.submit(
        observed("ZTF", "done", fields="twelve", band="r", depth="two", time="at noon", other="")
    )
    assert set(wrong.errors) == {"fields", "depth", "time"}
    assert "“twelve” is nothing I know" in wrong.errors["fields"]
    both = await local_slack.submit(observed("ZTF", "observing", fields="12"))
    assert both.errors == {"status": "Are these fields planned or done? Choose one of the two."}
    alone = await local_slack.submit(observed(None, "done", fields=FIELDS))
    assert set(alone.errors) == {"instrument"}
    early = await local_slack.submit(observed("ZTF", "done", time="2026-11-01 03:20"))
    assert set(early.errors) == {"time"} and "before the merger" in early.errors["time"]
    no_plan = await local_slack.submit(observed("ZTF", "done", fields="12", band="r"))
    assert "ZTF has no plan with fields" in no_plan.errors["fields"]
    unreadable = await local_slack.submit(observed("ZTF", "done", fields="12 apples\npears"))
    assert set(unreadable.errors) == {"fields"}
    assert await states(factory, card[0]) == []


async def test_another_telescope_and_a_cancelled_plan(
    local_slack: LocalSlack, factory: Factory, card: tuple[str, str]
) -> None:
    await open_dialog(local_slack, *card)
    assert (await local_slack.submit(observed("ZTF", "plan", other="My 'Scope", fields=FIELDS))).ok
    await local_slack.wait_for(lambda: "plans 2 fields" in words(local_slack.view()))
    await local_slack.close_view()
    view = await open_dialog(local_slack, *card)
    assert block(view, "instrument")["initial_option"]["text"]["text"] == "My 'Scope", "reported last"
    assert (await local_slack.submit(observed("My 'Scope", "cancel", note="clouds"))).ok
    await local_slack.wait_for(lambda: "is cancelled: clouds" in words(local_slack.view()))
    assert await states(factory, card[0]) == [("My 'Scope", ObservationStatus.CANCELLED, 2)]


@pytest.mark.slow
async def test_without_a_telescope_it_is_the_person_who_observes(
    local_slack: LocalSlack, factory: Factory, bot: Application, card: tuple[str, str]
) -> None:
    await say_observing(local_slack, *card)
    await local_slack.wait_for(
        lambda: f"Observing: <@{local_slack.user}>" in words(local_slack.messages(card[0])), PATIENCE_S
    )
    await say_observing(local_slack, *card, status="cancel")
    await local_slack.wait_for(lambda: "Observing:" not in words(local_slack.messages(card[0])), PATIENCE_S)


@pytest.mark.slow
async def test_a_slow_report_is_acknowledged_in_time_and_shown_when_it_is_stored(
    local_slack: LocalSlack,
    bot: Application,
    card: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bot.slack.listeners.observe_modal, "_submit_timeout_s", 0.0)
    await open_dialog(local_slack, *card)
    assert (await local_slack.submit(observed("ZTF", "done", band="r"))).ok
    await local_slack.wait_for(lambda: "has observed it in r" in words(local_slack.view()))
    await local_slack.close_view()
    await open_dialog(local_slack, *card)
    assert (await local_slack.submit(observed("ZTF", "done", band="r", fields="12"))).ok
    await local_slack.wait_for(lambda: "Please correct" in words(local_slack.view()))
    view = local_slack.view() or {}
    assert "has no plan with fields" in words(view) and block(view, "fields")["initial_value"] == "12"


async def test_while_the_store_is_away_the_dialog_says_so(
    local_slack: LocalSlack, bot: Application, factory: Factory, card: tuple[str, str]
) -> None:
    async def fail(*args: object) -> None:
        raise StoreUnavailable("away")

    await open_dialog(local_slack, *card)
    listeners = bot.slack.listeners.observe_modal
    listeners._dialog.errors = fail  # type: ignore[method-assign, assignment]
    assert (await local_slack.submit(observed("ZTF", "done", band="r"))).ok
    await local_slack.wait_for(lambda: "store doesn't answer" in words(local_slack.view()))
