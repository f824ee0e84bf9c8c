"""Cases with mutes: whatever is killed, a muted event says nothing more, and an unmuted one is up to date."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict

from bot.local_slack.errors import ApiError
from formatters.models.notice import RETRACTION
from tests.chaos.harness import TIMEOUT_S, ChaosHarness
from tests.support.waiting import wait_until

POST, UPDATE = "chat.postMessage", "chat.update"
STEPS = ("settle", "post", "claim")
Thread = tuple[str, str]
"""A channel and an event in it."""


async def killed(chaos: ChaosHarness, *, rounds: int = 8, channels: int = 3, notices: int = 4) -> None:
    """Kill while people mute and unmute events as fast as they can type, and notices of them come."""
    chaos.grant_history()
    names = await chaos.open_channels(channels)
    # What a mute held back is in the card once it ends, and has no reply.
    chaos.revived |= set(names)
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.publish(2 * notices)
    await chaos.wait_until_delivered()
    silent = 0
    for _ in range(rounds):
        await chaos.kill()
        at = f"{chaos.rng.choice(STEPS)}:{chaos.rng.choice(('before', 'after'))}:{chaos.rng.randint(1, 8)}"
        bot = chaos.start(at if chaos.rng.random() < 0.5 else None)
        with contextlib.suppress(AssertionError):
            # It may be killed before it is ready.
            await chaos.wait_until_ready()
        await chaos.publish(notices)
        for _ in range(chaos.rng.randint(3, 10)):
            if not bot.has_exited:
                await _ask(chaos, chaos.rng.choice(("mute", "mute", "unmute")), _choose(chaos, names))
            await asyncio.sleep(chaos.rng.uniform(0.0, 0.2))
        await chaos.kill(bot)
        chaos.start()
        await chaos.wait_until_ready()
        await chaos.wait_until_delivered()
        silent += await _check_silence(chaos, notices)
    assert silent, "nothing was muted while notices came"
    for thread in _muted(chaos):
        await _ask(chaos, "unmute", thread)
    await wait_until(lambda: not _muted(chaos), TIMEOUT_S, what="nothing is muted any more")
    await chaos.wait_until_delivered()
    _check_actions(chaos)


def _choose(chaos: ChaosHarness, names: list[str]) -> Thread:
    return chaos.rng.choice(names), chaos.rng.choice(list(chaos.notice_generator.events))


async def _ask(chaos: ChaosHarness, word: str, thread: Thread) -> None:
    """Type a command, and don't wait for the answer; a bot that is being killed may not hear it."""
    channel, event = thread
    with contextlib.suppress(ApiError, TimeoutError):
        await chaos.local_slack.command("/gwevent", f"{word} {event}", channel=channel)


def _muted(chaos: ChaosHarness) -> set[Thread]:
    query = "select channel_id, superevent_id from threads join muted_threads on thread_id = threads.id"
    return {(str(row[0]), str(row[1])) for row in chaos.deployment.query_database(query)}


async def _check_silence(chaos: ChaosHarness, notices: int) -> int:
    """Check that nothing is said of muted events while notices come, but for retractions.

    Return how many notices were about an event that was muted somewhere.
    """
    muted, before = _muted(chaos), len(chaos.local_slack.calls)
    roots = {
        (channel, said["ts"]): (channel, event)
        for channel, event in muted
        for said in chaos.deployment.roots(channel, event)
    }
    known = {name: len(kinds) for name, kinds in chaos.notice_generator.events.items()}
    await chaos.publish(notices)
    await chaos.wait_until_delivered()
    retracted = {name for name, kinds in chaos.notice_generator.events.items() if RETRACTION in kinds}
    for call in chaos.local_slack.calls[before:]:
        if call.method not in (POST, UPDATE):
            continue
        at = call.args.get("thread_ts") if call.method == POST else call.args.get("ts")
        thread = roots.get((str(call.args.get("channel")), str(at)))
        assert thread is None or thread[1] in retracted, (
            f"{thread} is muted: {call.method} {call.args['text']}"
        )
    return sum(
        len(kinds) - known[name]
        for name, kinds in chaos.notice_generator.events.items()
        if name in {event for _, event in muted} - retracted
    )


def _check_actions(chaos: ChaosHarness) -> None:
    """Check that each mute was kept once, and ended once, and that each thread was told of the last one."""
    query = (
        "select channel_id, superevent_id, action from event_actions where action in ('muted', 'unmuted')"
        " order by id"
    )
    done: defaultdict[Thread, list[str]] = defaultdict(list)
    for channel, event, action in chaos.deployment.query_database(query):
        done[str(channel), str(event)].append(str(action))
    assert done, "nobody was heard"
    for (channel, event), actions in done.items():
        assert actions == ["muted", "unmuted"] * (len(actions) // 2), f"{event} in {channel}: {actions}"
        said = [
            str(message["text"])
            for message in chaos.local_slack.messages(channel)
            if event in str(message["text"]) and "muted here" in str(message["text"]).casefold()
        ]
        assert said and said[-1].startswith("No longer muted here"), f"{event} in {channel}: {said}"
        assert len(said) <= len(actions), f"{event} in {channel} is told more than was done: {said}"
