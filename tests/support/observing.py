"""The dialog of "I'm observing" on the local Slack."""

from __future__ import annotations

from typing import Any

from bot.local_slack.server import LocalSlack
from formatters.posts.event_buttons import TOGGLE_OBSERVER_ACTION
from formatters.views.modal_inputs import INPUT_ACTION_ID

Json = dict[str, Any]
PATIENCE_S = 30.0


def observed(instrument: str | None = None, status: str = "observing", **typed: str) -> Json:
    """Return the dialog's state: a chosen instrument, None without a telescope, and typed inputs."""
    chosen = "none" if instrument is None else f"={instrument}"
    state: Json = {
        "instrument": {INPUT_ACTION_ID: {"selected_option": {"value": chosen}}},
        "status": {INPUT_ACTION_ID: {"selected_option": {"value": status}}},
    }
    return state | {name: {INPUT_ACTION_ID: {"value": value}} for name, value in typed.items()}


async def open_dialog(slack: LocalSlack, channel: str, ts: str, user: str | None = None) -> Json:
    """Press "I'm observing" below a message, and return the dialog once it is a form."""
    assert (await slack.press(channel, ts, TOGGLE_OBSERVER_ACTION, user=user)).ok
    await slack.wait_for(lambda: (slack.view(user) or {}).get("submit"), PATIENCE_S)
    view = slack.view(user)
    assert view is not None
    return view


async def say_observing(
    slack: LocalSlack, channel: str, ts: str, user: str | None = None, *, status: str = "observing"
) -> None:
    """Say by the dialog that one observes without a telescope, or with status "cancel" no longer."""
    await open_dialog(slack, channel, ts, user)
    done = await slack.submit(observed(status=status), user=user)
    assert done.ok and not done.errors, done
    await slack.wait_for(lambda: "its card" in str(slack.view(user)), PATIENCE_S)
    await slack.close_view(user=user)
