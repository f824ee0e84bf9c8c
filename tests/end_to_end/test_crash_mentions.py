"""Killed around a mention and started again: it is made, once, and taken back once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.samples import notice, to_avro
from tests.support.bot_process import LocalDeployment, avro_bbh
from tests.support.waiting import wait_until

EVENT = "S240101m"
HERE = "<!here>"


def retraction() -> bytes:
    return to_avro(notice(EVENT, "RETRACTION", datetime.now(UTC).replace(microsecond=0), event=None))


def mentions(deployment: LocalDeployment, channel: str) -> list[str]:
    return [str(m["text"]) for m in deployment.local_slack.messages(channel) if HERE in m["text"]]


@pytest.mark.parametrize("step", ["post:after:1", "post:before:3", "post:after:3"])
async def test_crash_neither_loses_nor_repeats_mention(deployment: LocalDeployment, step: str) -> None:
    for scope in ("channels:history", "groups:history"):
        deployment.local_slack.grant(scope)
    channel = deployment.local_slack.add_channel("gw-cbc")
    await deployment.subscribe(channel, "CBC notify @here")
    bot = deployment.start_forked(step)
    await deployment.publish(avro_bbh(EVENT, "PRELIMINARY"))
    await wait_until(
        lambda: bot.has_exited or (deployment.roots(channel) and not deployment.pending_count()),
        what="root or death",
    )
    if bot.has_exited:
        deployment.start_forked()
        await deployment.wait_until_delivered(1)
        posted = [
            c
            for c in deployment.local_slack.calls
            if c.method == "chat.postMessage" and HERE in c.args["text"]
        ]
        assert len([c for c in posted if c.outcome == "ok"]) == 1
        await deployment.publish(retraction())
    else:
        assert len(mentions(deployment, channel)) == 1
        await deployment.publish(retraction())
        assert await bot.wait_for_exit() == -9, bot.stderr
        deployment.start_forked()
    await deployment.wait_until_delivered(2)
    (down,) = mentions(deployment, channel)
    assert "Stand down" in down, "and the root's, edited, mentions nobody any more"
    edits = [str(c.args) for c in deployment.local_slack.calls if c.method == "chat.update"]
    assert edits and not any(HERE in edit for edit in edits)
