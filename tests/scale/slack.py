"""The local Slack with many workspaces: python -m tests.scale.slack WORKSPACES CHANNELS.

Slack's rate limits are on. The process prints {"api_url": …, "teams": {team: {"token": …, "channels": […]}}}
in one line, and answers each line of its input with the posts since the previous line: {"posted": …,
"refused": …, "channels": …, "first": …, "last": …}: posts accepted, posts rejected, channels with posts, Unix
times of the first and last. It ends with its input.
"""

from __future__ import annotations

import asyncio
import sys

from bot.local_slack.server import LocalSlack
from tests.scale.processes import receive_lines, send


def take_counts(local_slack: LocalSlack) -> dict[str, object]:
    """Return the counts of posts since the previous call."""
    posts = [call for call in local_slack.calls if call.method == "chat.postMessage"]
    local_slack.calls.clear()
    stand = [call for call in posts if call.outcome == "ok"]
    return {
        "posted": len(stand),
        "refused": len(posts) - len(stand),
        "channels": len({(call.team, call.args["channel"]) for call in stand}),
        "first": min((call.time for call in stand), default=0.0),
        "last": max((call.time for call in stand), default=0.0),
    }


async def serve(workspaces: int, channels: int) -> None:
    async with LocalSlack() as local_slack:
        made = [local_slack.workspace, *(local_slack.add_team(f"Group {n}") for n in range(1, workspaces))]
        teams = {
            workspace.id: {
                "token": workspace.bot_token,
                "channels": [workspace.add_channel(f"gw-{n}").id for n in range(channels)],
            }
            for workspace in made
        }
        send({"api_url": local_slack.api_url, "teams": teams})
        async for _ in receive_lines():
            send(take_counts(local_slack))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
