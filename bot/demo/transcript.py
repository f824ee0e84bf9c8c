"""The contents of the demo's channels: printed, and compared with what the story should bring there."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from bot.local_slack.errors import Json
from bot.local_slack.server import LocalSlack
from bot.samples import SampleMessage, SampleNotice
from formatters.blockkit.message import Message
from formatters.models.notice import Category, category_from_id
from formatters.terminal import message_text


def print_channel(out: Console, local_slack: LocalSlack, name: str, channel: str) -> None:
    """Print a channel's messages with their replies, and what only one person sees."""
    out.rule(f"#{name}")
    for message in top_level_messages(local_slack, channel):
        out.print(message_text.render(_to_message(message)), markup=False)
        for reply in local_slack.messages(channel, thread_ts=message["ts"]):
            if reply["ts"] != message["ts"]:
                out.print()
                text = message_text.render(_to_message(reply))
                out.print("\n".join(f"    │ {line}" for line in text.splitlines()), markup=False)
        out.print()
    for ephemeral in local_slack.ephemerals(channel):
        out.print("[dim]only visible to who asked:[/dim]")
        out.print(message_text.render(_to_message(ephemeral)), markup=False)
        out.print()


def top_level_messages(local_slack: LocalSlack, channel: str) -> list[Json]:
    """Return a channel's messages without the replies in threads, oldest first."""
    return [m for m in local_slack.messages(channel) if m.get("thread_ts") in (None, m["ts"])]


def is_card(message: Json) -> bool:
    """Return whether a message is an event's card, which has a header; mentions have none."""
    return any(block["type"] == "header" for block in message.get("blocks") or ())


def _to_message(message: Json) -> Message:
    return Message(message["text"], tuple(message.get("blocks") or ()))


def find_problems(
    local_slack: LocalSlack, channel: str, name: str, criteria: str, story: Sequence[object]
) -> list[str]:
    """Compare a channel's messages with those expected from the story's records; return the differences.

    `criteria` are the words of the channel's subscription.
    """
    samples = [sample for sample in story if isinstance(sample, SampleNotice)]
    messages = [sample for sample in story if isinstance(sample, SampleMessage)]
    roots: dict[str, list[Json]] = {}
    for message in filter(is_card, top_level_messages(local_slack, channel)):
        found = [s for s in {s.record["superevent_id"] for s in samples} if s in message["text"]]
        if found:
            roots.setdefault(found[0], []).append(message)
    problems = []
    for superevent_id in {sample.record["superevent_id"] for sample in samples}:
        records = [s.record for s in samples if s.record["superevent_id"] == superevent_id]
        wanted = _is_expected(criteria, superevent_id, records[0]["event"])
        held = roots.get(superevent_id, [])
        if len(held) != int(wanted):
            problems.append(f"#{name} has {len(held)} messages of {superevent_id}, not {int(wanted)}.")
            continue
        if wanted:
            replies = len(local_slack.messages(channel, thread_ts=held[0]["ts"])) - 1
            # What names the event stands in one reply.
            follow_ups = "streams" in criteria.split() and any(
                message.superevent_id == superevent_id for message in messages
            )
            expected = len(records) - 1 + int(follow_ups)
            if replies != expected:
                problems.append(f"#{name} has {replies} replies to {superevent_id}, not {expected}.")
    return problems


def _is_expected(criteria: str, superevent_id: str, event: Json) -> bool:
    if not event["significant"]:
        return False
    group, *others = criteria.split()
    if "mock" in others:
        return True
    return category_from_id(superevent_id) is Category.REAL and group == event["group"]
