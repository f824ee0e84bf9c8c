"""Cases with hypothetical answers of Slack: unknown error names, rejected parts, malformed bodies."""

from __future__ import annotations

from bot.local_slack.web_api.odd_answers import MessagePart, Oddity, random_error_name
from bot.local_slack.workspace import Draft
from bot.slack.message_metadata import METADATA_EVENT
from tests.chaos.cases.slack import EDIT, POST
from tests.chaos.harness import ChaosHarness

PARTS: tuple[MessagePart, ...] = ("file", "broadcast", "buttons", "metadata", "blocks")
NAMING: dict[MessagePart, str] = {
    "file": "slack_connect_file_upload_sharing_blocked",
    "broadcast": "cant_broadcast_message",
    "buttons": "too_many_buttons",
    "metadata": "metadata_must_be_sent_from_app",
    "blocks": "too_many_blocks",
}
ODD: tuple[Oddity, ...] = ("null ts", "no ts", "array", "string", "html", "null", "no error")


async def unlisted_words(chaos: ChaosHarness) -> None:
    """Words that stand in no list, drawn anew each time, for posts and edits, for a while."""
    await chaos.start_working(channels=4, notices=4)
    for _ in range(6):
        chaos.local_slack.fail(POST, error=random_error_name(chaos.rng), times=chaos.rng.randint(1, 25))
        chaos.local_slack.fail(EDIT, error=random_error_name(chaos.rng), times=chaos.rng.randint(1, 12))
        await chaos.publish(4)
    await chaos.wait_until_delivered()
    assert not chaos.channel_problems(), chaos.channel_problems()


async def refused_parts(chaos: ChaosHarness) -> None:
    """Any of a message's parts refused, by a word that names it or by one that says nothing."""
    await chaos.start_working(channels=4, notices=4)
    for _ in range(6):
        for part in chaos.rng.sample(PARTS, chaos.rng.randint(1, len(PARTS))):
            word = chaos.rng.choice([NAMING[part], random_error_name(chaos.rng)])
            for method in (POST, EDIT):
                chaos.local_slack.fail(method, error=word, times=None, having=(part,))
        await chaos.publish(4)
        await chaos.wait_until_delivered()
        chaos.local_slack.faults.clear()
    await chaos.publish(4)
    await chaos.wait_until_delivered()


async def restricted_mentions(chaos: ChaosHarness) -> None:
    """Restrict @here: alerts come without it and a single hint says so; once allowed, it notifies again."""
    chaos.grant_history()
    words = "all mock notify @here notify-mocks"
    channels = await chaos.open_channels(3, words=words)
    chaos.local_slack.fail(POST, error="restricted_action", times=None, having=("everybody",))
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.publish(12)
    await chaos.wait_until_delivered()
    assert not chaos.channel_problems(), chaos.channel_problems()
    for channel in channels:
        told = [m for m in chaos.local_slack.messages(channel) if "Slack refuses the mention" in m["text"]]
        assert len(told) == 1, f"said {len(told)} times in {channel}"
    assert len(chaos.deployment.query_database("select target from refused_mentions")) == len(channels)
    chaos.local_slack.faults.clear()
    before = chaos.notice_generator.count
    while chaos.deployment.query_database("select target from refused_mentions"):
        await chaos.publish(6)
        await chaos.wait_until_delivered()
        assert chaos.notice_generator.count < before + 60, "a mention that goes through clears it"


async def odd_answers(chaos: ChaosHarness) -> None:
    """The work is done, and the answer has no ts, or is an array, a text, a page; the bot may look."""
    await chaos.start_working(channels=4, notices=4)
    for oddity in ODD:
        chaos.local_slack.fail(POST, oddity=oddity, times=4)
        chaos.local_slack.fail(EDIT, oddity=oddity, times=2)
        await chaos.publish(4)
    await chaos.wait_until_delivered()


async def odd_answers_unseen(chaos: ChaosHarness) -> None:
    """The same without the history scope: rather twice than never."""
    await chaos.start_working(channels=4, notices=4, history=False)
    for oddity in ODD:
        chaos.local_slack.fail(POST, oddity=oddity, times=3)
        await chaos.publish(3)
    await chaos.wait_until_delivered()


async def foreign_deliveries(chaos: ChaosHarness) -> None:
    """Channels hold messages of other databases with the same numbers, and posts have to be looked for."""
    await chaos.start_working(channels=4, notices=4)
    (newest,) = chaos.deployment.query_database("select max(id) from deliveries")[0]
    for channel in chaos.channels:
        for number in range(newest + 1, newest + 200):
            chaos.local_slack.workspace.post(_foreign(chaos, channel, number))
    for drop in ("before", "after", "before"):
        chaos.local_slack.fail(POST, drop="before" if drop == "before" else "after", times=8)
        await chaos.publish(6)
    await chaos.kill()
    chaos.start()
    await chaos.wait_until_delivered()


def _foreign(chaos: ChaosHarness, channel: str, number: int) -> Draft:
    """Return a message of an older database or of another bot, with or without a message key."""
    payload: dict[str, object] = {"delivery_id": number}
    if chaos.rng.random() < 0.5:
        payload |= {"key": f"{chaos.rng.getrandbits(128):032x}", "database": "0" * 32}
    return Draft(
        channel,
        chaos.local_slack.workspace.bot.id,
        "Of another database",
        bot_id="B0FOREIGN",
        app_id="A0FOREIGN",
        metadata={"event_type": METADATA_EVENT, "event_payload": payload},
    )
