"""The local Slack in a process of its own: `python -m bot.local_slack --port N`.

It prints one line of JSON with its address, tokens and channels, serves the control API
(`/sandbox/control/…`, see control_api.py), and runs until SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from bot.local_slack.app_manifest import SCOPES
from bot.local_slack.control_api import ControlApi
from bot.local_slack.server import LocalSlack


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bot.local_slack", description="A local Slack on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--channel", action="append", default=[], help="a public channel; may be repeated")
    parser.add_argument("--private-channel", action="append", default=[], help="a private one")
    parser.add_argument("--scope", action="append", default=[], help="a scope beyond the usual ones")
    parser.add_argument("--no-limits", action="store_true", help="switch the rate limits off")
    parser.add_argument("--file-delay", type=float, default=0.2, help="seconds until an upload is ready")
    return parser.parse_args(arguments)


async def _serve_until_signal(options: argparse.Namespace) -> None:
    local_slack = LocalSlack(
        limits=not options.no_limits, scopes=SCOPES | set(options.scope), file_delay=options.file_delay
    )
    for name in options.channel:
        local_slack.add_channel(name)
    for name in options.private_channel:
        local_slack.add_channel(name, private=True)
    await local_slack.start(options.port, extra=(ControlApi(local_slack).add_routes,))
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    sys.stdout.write(json.dumps(local_slack.connection_info()) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    await local_slack.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a local Slack until SIGINT or SIGTERM; return the exit status."""
    options = _parse_options(arguments)
    try:
        asyncio.run(_serve_until_signal(options))
    except OSError as error:
        sys.stderr.write(f"The local Slack can't listen on 127.0.0.1:{options.port}: {error.strerror}.\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
