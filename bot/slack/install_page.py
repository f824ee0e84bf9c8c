"""The page at /slack/install: what gwevent does, which scopes it asks for and why, and what it keeps.

It loads nothing from anywhere, so that its Content-Security-Policy can forbid all but its own style.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files

REASONS: Mapping[str, str] = {
    "chat:write": "Post an alert in the channels that subscribed, and keep it up to date by editing it.",
    "chat:write.public": "Do so in public channels that didn't invite it, once somebody there subscribes.",
    "commands": "Answer <code>/gwevent</code>.",
    "app_mentions:read": "Answer where somebody writes <code>@gwevent</code>.",
    "im:history": "Answer what you write to gwevent itself, in its direct messages.",
    "channels:read": "See that a public channel it couldn't reach has invited it back.",
    "groups:read": "See the same of private channels that it is a member of.",
    "files:write": "Show the picture of the sky map in the message.",
    "users:read": (
        "Tell who is an admin of the workspace, for only admins may change there what a channel receives; and"
        " tell its operators of people whom alerts mention and whose account is deactivated."
    ),
}
"""The purpose of each scope that may be requested, as HTML, for who decides; the most important first."""

KEPT: Mapping[str, str] = {
    "who subscribed a channel, or changed the subscription last": "Who subscribed the channel.",
    "whom a subscription mentions, first or if nobody takes an event": "Whom its alerts are to mention.",
    "whom Slack refuses to mention": "Whom of these Slack refuses to mention there.",
    "who changed what a channel receives, when, and the words before and after": (
        "Who changed what it receives, when, and the words before and after; for 400 days."
    ),
    "who made a criteria set of a workspace, and who changed it last": (
        "Who made and who last changed a criteria set of the workspace."
    ),
    "who added, removed, kept or rejected a counterpart candidate, and when": (
        "Who added, removed, kept or rejected a counterpart candidate, and when."
    ),
    "who said that they observe without a telescope, and when": "Who said that they observe, and when.",
    'who has an event ("I have it"), and since when': "Who has an event (<i>I have it</i>), and since when.",
    "who muted an event in a channel, and when": "Who muted an event, and when.",
    "who reported an observation, when, and a remark": (
        "Who reported an observation, when, and the remark that they typed with it."
    ),
    "who did what about an event (took it, gave it back, muted, reported, began a drill), and when": (
        "Who did which of these things about an event; for 400 days."
    ),
    "who began a drill, and who took or stopped it": "Who began a drill, and who took or stopped it.",
    "who installed the app, where there are many workspaces": "Who installed the app.",
    "workspaces and channels": (
        "The workspace's id and name and the bot's token (encrypted); the channels' ids, what they subscribed"
        " to, their observing sites, and which messages gwevent posted there."
    ),
}
"""The data kept of people, as HTML, by the first cell of the operators' table of that in deploy/README.md.

A test compares the keys with that table, so that this page can't fall behind it.
"""

_STYLE = """
:root{color-scheme:light dark;--soft:#5d5866;--line:#8884;--accent:#6a2bd9}
@media(prefers-color-scheme:dark){:root{--soft:#aaa5b3;--accent:#b794ff}}
*{box-sizing:border-box}
body{max-width:40rem;margin:0 auto;padding:2rem 1.25rem 4rem;font:16px/1.5 system-ui,sans-serif;
overflow-wrap:anywhere}
svg{width:72px;height:72px;display:block}
h1{margin:.75rem 0 .25rem;font-size:1.75rem;line-height:1.2}
h2{margin:2.25rem 0 .5rem;font-size:1.15rem}
p,ul,dl{margin:.5rem 0}
ul{padding-left:1.25rem}
.soft,dt span{color:var(--soft)}
.add{display:inline-block;margin:1.25rem 0 .25rem;padding:.75rem 1.5rem;border-radius:8px;background:#4a154b;
color:#fff;font-weight:700;text-decoration:none}
.add:focus-visible,a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
dt{margin-top:.75rem;font-weight:600}
dd{margin:0}
code{font:0.9em ui-monospace,monospace}
a{color:var(--accent)}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Add gwevent to Slack</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
{icon}
<h1>gwevent</h1>
<p>The public alerts of LIGO, Virgo and KAGRA in your Slack. Each gravitational-wave event is one message that
always shows the latest state; each further notice is a reply in its thread that says what changed.</p>
<ul>
<li>Each channel chooses what it gets: <code>/gwevent subscribe BNS&gt;50% area&lt;500</code>.</li>
<li>Questions are answered at once, for you alone: <code>/gwevent latest</code>,
<code>/gwevent visible Keck</code>.</li>
<li>Nothing is posted in a channel before somebody there subscribes.</li>
</ul>
<p><a class="add" href="{authorize_url}">Add to Slack</a></p>
<p class="soft">Slack asks you once more. The button works for ten minutes, in this browser; in some
workspaces an administrator has to approve. <a href="#privacy">What gwevent keeps</a></p>
<h2>What it may do, and why</h2>
<dl>
{scopes}
</dl>
<p>It can't read other messages of your channels, nor {unread}.</p>
<h2 id="privacy">What it keeps</h2>
<p>Of people it keeps only member ids, no names or addresses; of what they write, only what they ask it to
keep:</p>
<ul>
{kept}
</ul>
<p>Other messages and questions are neither stored nor logged. All this is kept by those who run this
server. When each of these is deleted stands in gwevent's deploy/README.md (<i>What is stored about
people</i>); they can also delete what is stored about one person. Remove the app from your workspace
(<i>Manage apps → gwevent → Remove</i>), and all of it is deleted; where an incident has to be closed for the
operators first, the ids of the workspace and channel in it go later, by themselves.</p>
</main>
</body>
</html>
"""


def install_page(authorize_url: str, requested: Collection[str]) -> str:
    """Return the page as HTML; its button leads to `authorize_url`, Slack's page of consent to the scopes."""
    scopes = "\n".join(
        f"<dt><code>{html.escape(scope)}</code></dt><dd>{REASONS[scope]}</dd>"
        for scope in sorted(requested, key=list(REASONS).index)
    )
    return _PAGE.format(
        style=_STYLE,
        icon=_icon(),
        authorize_url=html.escape(authorize_url, quote=True),
        scopes=scopes,
        unread="files or e-mail addresses"
        if "users:read" in requested
        else "files, e-mail addresses or profiles",
        kept="\n".join(f"<li>{kept}</li>" for kept in KEPT.values()),
    )


def security_headers() -> dict[str, str]:
    """Return the headers with which the page is served.

    No other site may frame it, so that nobody presses its button without seeing it; none learns its address.
    """
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none';"
            " form-action 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


@cache
def _icon() -> str:
    drawn = (files("bot.slack") / "icon.svg").read_text(encoding="utf-8")
    return drawn.replace("<svg ", '<svg aria-hidden="true" ', 1).strip()
