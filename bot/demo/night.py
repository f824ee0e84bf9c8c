"""The people's part of the demo's story: nobody takes the binary neutron star, then somebody does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.samples import SampleNotice
from bot.samples.events import BNS_PLACE
from bot.samples.skymaps import offset_position

CHANNEL = "gw-cbc"
"""The channel in which they do it."""
OBSERVER, COLLEAGUE = "observer", "colleague"
"""The local Slack's two people: who looks at the page, and another one."""
NOTIFY = f"notify @here if BNS escalate 2min @{COLLEAGUE} 4min @{OBSERVER}"
"""The mention rule of the demo: who is mentioned, and who is next."""
PAUSE_S = 3.0
_STREAK_BEARING = 115.0
_FIELD_STEP_DEG = 1.9


@dataclass(frozen=True, slots=True)
class SampleAct:
    """Something that happens in the demo's channel without a message of a broker."""

    name: str
    superevent_id: str
    sent: datetime
    """When it happens, UTC."""
    user: str | None = None
    """The user who does it; None if time alone passes, and the bot mentions whoever is next."""
    words: str | None = None
    """The words that they type after `/gwevent`; None for the button *I have it*."""
    pause_s: float = PAUSE_S


def create_demo_acts(notices: Iterable[SampleNotice]) -> list[SampleAct]:
    """Return a night's work on the binary neutron star of `create_demo_notices`, in the order of its times.

    Two steps pass before a colleague has it. They plan five fields with DECam, the observer plans with ZTF
    what is planned already, three fields are observed, and the observer asks what is covered.
    """
    times: dict[str, datetime] = {}
    superevent_id = ""
    for notice in notices:
        if str(notice.record["superevent_id"]).endswith("k"):
            superevent_id = str(notice.record["superevent_id"])
            times[notice.name.removeprefix(f"{superevent_id}-")] = datetime.fromisoformat(
                str(notice.record["time_created"])
            )
    first, initial, update = times["earlywarning"], times["initial"], times["update"]

    def act(name: str, at: datetime, user: str | None = None, words: str | None = None) -> SampleAct:
        return SampleAct(name, superevent_id, at, user, words)

    acts = [
        act("nobody-has-it", first + timedelta(seconds=124)),
        act("nobody-has-it-yet", first + timedelta(seconds=244)),
        act("i-have-it", first + timedelta(seconds=280), COLLEAGUE),
        act(
            "decam-plan",
            initial + timedelta(seconds=70),
            COLLEAGUE,
            f"observe {superevent_id} DECam planned r\n{_fields((0, 1, -1, 2, -2))}",
        ),
        act(
            "ztf-plan",
            initial + timedelta(seconds=240),
            OBSERVER,
            f"observe {superevent_id} ZTF planned r\n{_fields((1,))}",
        ),
        act(
            "decam-done",
            update + timedelta(seconds=20),
            COLLEAGUE,
            f"observe {superevent_id} DECam done 3 r 22.5",
        ),
        act("coverage", update + timedelta(seconds=90), OBSERVER, f"coverage {superevent_id}"),
    ]
    return sorted(acts, key=lambda one: one.sent)


def _fields(steps: Iterable[int]) -> str:
    """Return positions along the binary's region, a line each."""
    places = (
        offset_position(*BNS_PLACE, _STREAK_BEARING + (180 if step < 0 else 0), abs(step) * _FIELD_STEP_DEG)
        for step in steps
    )
    return "\n".join(f"{ra:.4f} {dec:+.4f}" for ra, dec in places)
