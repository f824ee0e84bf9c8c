"""The demo's night: nobody takes the binary neutron star, then somebody does, and points a telescope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.alerts.decode import decode
from bot.local_slack.errors import Json
from bot.local_slack.server import LocalSlack
from bot.samples import SampleNotice, to_avro
from formatters.models.notice import EARLYWARNING, INITIAL, UPDATE
from formatters.posts.event_buttons import ACKNOWLEDGE_ACTION

CHANNEL = "gw-night"
STEPS = 2
"""Steps that are taken before somebody has the event; another candidate is retracted after its own."""
SITE = "La Palma"
_TIMEOUT_S = 60.0
_FIELD_SPACING_DEG = 3.0


def criteria(local_slack: LocalSlack) -> str:
    """Return the words of the channel's subscription: a colleague is mentioned, then you, then everybody."""
    first, second = f"<@{local_slack.colleague}>", f"<@{local_slack.user}>"
    return f"CBC quiet BBH notify {first} if NS escalate 2min {second} 4min @here"


@dataclass(frozen=True, slots=True)
class NightAct:
    """What somebody does in the channel, at its time in the story."""

    name: str
    """What the terminal says of it."""
    sent: datetime
    superevent_id: str
    perform: Callable[[LocalSlack, str], Awaitable[None]]
    """Is called with the channel's id."""
    pause_s: float = 4.0


def create_night(notices: Sequence[SampleNotice]) -> list[NightAct]:
    """Return what people do about the story's binary neutron star, by the times of its notices."""
    superevent_id = next(
        str(n.record["superevent_id"]) for n in notices if n.record["alert_type"] == EARLYWARNING
    )
    records = {
        str(n.record["alert_type"]): n.record for n in notices if n.record["superevent_id"] == superevent_id
    }
    sky = decode(to_avro(records[INITIAL])).best_localization
    assert sky is not None, "the demo's binary neutron star has a map"
    fields = [f"{(sky.ra + offset) % 360:.3f} {sky.dec:.3f}" for offset in (0.0, _FIELD_SPACING_DEG)]

    def time_of(alert_type: str, **after: float) -> datetime:
        return datetime.fromisoformat(str(records[alert_type]["time_created"])) + timedelta(**after)

    def typing(name: str, at: datetime, words: str) -> NightAct:
        async def perform(local_slack: LocalSlack, channel: str) -> None:
            before = len(local_slack.ephemerals(channel))
            await local_slack.command("/gwevent", words, channel=channel)
            # An answer with a picture is no answer to the command's own address.
            await _wait_until(local_slack, lambda: len(local_slack.ephemerals(channel)) > before)

        return NightAct(name, at, superevent_id, perform)

    async def take(local_slack: LocalSlack, channel: str) -> None:
        await _take(local_slack, channel, superevent_id)

    plan = "\n".join([f"observe {SITE} plan {superevent_id} r", *fields])
    return [
        NightAct("somebody has it", time_of(EARLYWARNING, minutes=5.5), superevent_id, take),
        typing("two fields are planned", time_of(INITIAL, seconds=40), plan),
        typing(
            "one field is observed",
            time_of(INITIAL, minutes=4.5),
            f"observe {SITE} done 1 r 21.5 {superevent_id}",
        ),
        typing("what is covered", time_of(UPDATE, seconds=30), f"coverage {superevent_id}"),
    ]


def find_problems(local_slack: LocalSlack, channel: str, superevent_id: str) -> list[str]:
    """Return what of the night isn't as it should be, a sentence each."""
    steps = _count_steps(local_slack, channel, superevent_id)
    texts = [str(message) for message in (*local_slack.messages(channel), *local_slack.ephemerals(channel))]
    problems = [] if steps == STEPS else [f"#{CHANNEL} has {steps} steps, not {STEPS}."]
    for words in ("On it: ", f"Observing: {SITE}", "Coverage · "):
        if not any(words in text for text in texts):
            problems.append(f'#{CHANNEL} has no message with "{words}".')
    return problems


async def _take(local_slack: LocalSlack, channel: str, superevent_id: str) -> None:
    """Press "I have it" once the steps are posted; nothing is left to do if it was pressed on the page."""

    def root() -> Json | None:
        messages = local_slack.messages(channel)
        return next((m for m in messages if _has_button(m) and superevent_id in m["text"]), None)

    def may_be_taken() -> bool:
        return root() is None or _count_steps(local_slack, channel, superevent_id) >= STEPS

    await _wait_until(local_slack, may_be_taken)
    found = root()
    if found is not None:
        await local_slack.press(channel, found["ts"], ACKNOWLEDGE_ACTION, superevent_id)


async def _wait_until(local_slack: LocalSlack, true: Callable[[], bool]) -> None:
    """Return once it is true, or after a while: `find_problems` says what is missing."""
    with suppress(TimeoutError):
        await local_slack.wait_for(true, _TIMEOUT_S)


def _count_steps(local_slack: LocalSlack, channel: str, superevent_id: str) -> int:
    texts = map(str, local_slack.messages(channel))
    return sum("nobody had it" in text and superevent_id in text for text in texts)


def _has_button(message: Json) -> bool:
    return ACKNOWLEDGE_ACTION in str(message.get("blocks"))
