"""Escaping by target, truncation, and Slack's limits.

Slack knows three escapes (`&amp; &lt; &gt;`) and none for `* _ ~` and the back-tick, nor for `:emoji:`;
in words that others wrote, a mark that could format is therefore swapped for its look-alike.

Limits: docs.slack.dev/reference/block-kit and, where the documentation is silent, the registry of
PyPI `slackblocks`. Lengths count UTF-16 units of the escaped text, the strictest of the readings.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

NBSP = "\u00a0"
"""The no-break space."""
TEXT_MAX = 4_000
"""A message's own `text`: chat.update refuses more (docs.slack.dev/reference/methods/chat.update)."""
SECTION_MAX = 3_000
HEADER_MAX = 150
CONTEXT_TEXT_MAX = 3_000
CONTEXT_ELEMENTS_MAX = 10
ALT_TEXT_MAX = 2_000
"""Characters of an image block's alt_text (docs.slack.dev/reference/block-kit/blocks/image-block)."""
ACTIONS_MAX = 25
BUTTON_TEXT_MAX = 75
BUTTON_URL_MAX = 3_000
BUTTON_VALUE_MAX = 2_000
CONFIRM_TEXT_MAX = 300
"""Of the question that is asked before a button counts as pressed."""
TABLE_ROWS_MAX = 100
CELL_MAX = 100
"""Our own limit for a cell of a table."""
MESSAGE_BLOCKS_MAX = 50
MESSAGE_TOTAL_MAX = 10_000
"""All text of a message. Undocumented: `msg_blocks_too_long` was seen from 11,341 characters
(slackapi/bolt-js issues 2509 and 2867)."""
NAME_MAX = 60
"""Our own limit for a name that others wrote (pipeline, search, observatory): none real has 20."""
SENTENCE_MAX = 300
"""Our own limit for a sentence with others' words in it."""

_MENTION = re.compile(r"<!here>|<!channel>|<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>")
_BROADCASTS = {"<!here>": "@here", "<!channel>": "@channel"}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LOOK_ALIKES = {"*": "∗", "~": "∼", "`": "ˋ", "_": "ˍ"}
_ELLIPSIS = "…"
# An underscore inside a word doesn't format, and names are full of them.
_FORMATTING = re.compile(r"[*~`]|(?<!\w)_|_(?!\w)|(?<=_)_")
_CUT_ENTITY_OR_LINK = re.compile(r"(&[a-z]*|<[^>]*)\Z")
_QUOTE = re.compile(r"^>")
_BLANKS = re.compile(r"[^\S\u00a0]+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_EMOJI = re.compile(r":(?=[A-Za-z+][\w+'-]*:)")


def replace_nbsp(text: str) -> str:
    """No-break spaces as plain ones, for terminals and notifications."""
    return text.replace(NBSP, " ")


def sanitize_line(text: str) -> str:
    """One line of printable characters: runs of blanks and line ends are one space, controls go.

    Invisible format characters go too: they can turn the direction of what follows.
    """
    visible = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    return _BLANKS.sub(" ", visible).strip()


def utf16_length(text: str) -> int:
    """The length of a text in UTF-16 units, as JavaScript counts."""
    return len(text) + sum(1 for c in text if ord(c) > 0xFFFF)


def _escape_entities(text: str) -> str:
    return "".join(_ENTITIES.get(c, c) for c in text)


def _neutralize_formatting(text: str) -> str:
    # Slack quotes a line that begins with ">", escaped or not.
    unquoted = _QUOTE.sub("＞", text)
    return _EMOJI.sub("꞉", _FORMATTING.sub(lambda mark: _LOOK_ALIKES[mark[0]], unquoted))


def truncate(text: str, limit: int, *, escaped: bool = False) -> str:
    """Cut a text that is not escaped yet, so that it fits into `limit` units (`escaped`: once escaped).

    What was cut ends in "…".
    """

    def size(piece: str) -> int:
        return utf16_length(_escape_entities(piece)) if escaped else utf16_length(piece)

    if size(text) <= limit:
        return text
    left = limit - utf16_length(_ELLIPSIS)
    kept = []
    for character in text:
        left -= size(character)
        if left < 0:
            break
        kept.append(character)
    # No room even for the ellipsis: nothing is the only honest text.
    return "".join(kept).rstrip() + _ELLIPSIS if limit >= utf16_length(_ELLIPSIS) else ""


def escape(text: str, limit: int = SENTENCE_MAX) -> str:
    """Text for a mrkdwn text, others' words in it: shown as it is, formatting and mentioning nothing."""
    return _escape_entities(truncate(_neutralize_formatting(sanitize_line(text)), limit, escaped=True))


def plain_text(text: str, limit: int = NAME_MAX) -> str:
    """Others' words as one tidy, bounded piece, not escaped: for plain_text objects, or to escape later.

    A plain_text object knows neither entities nor marks.
    """
    return truncate(sanitize_line(text), limit)


def truncate_escaped(escaped: str, limit: int) -> str:
    """Cut a text that is escaped already, where there is no going back; no entity or link is cut in two."""
    if utf16_length(escaped) <= limit:
        return escaped
    return _CUT_ENTITY_OR_LINK.sub("", truncate(escaped, limit).removesuffix(_ELLIPSIS)).rstrip() + _ELLIPSIS


def unescape(text: str) -> str:
    """What a person typed, out of what Slack sent: the three entities, once."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def web_url(url: object, limit: int = BUTTON_URL_MAX) -> str | None:
    """A URL if a browser may be sent there (http or https, with a host, no blanks), else None."""
    if not isinstance(url, str) or utf16_length(url) > limit or re.search(r"[\s<>|\x00-\x1f\x7f\"\\]", url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return url if parts.scheme.lower() in {"http", "https"} and host else None


def link(url: object, label: str) -> str:
    """A link in a mrkdwn text; the label alone where the URL is none to follow."""
    target = web_url(url)
    words = escape(label)
    return words if target is None else f"<{target.replace('&', '&amp;')}|{words}>"


def mentions(targets: Iterable[str]) -> str:
    """Mark-up that notifies "<!here>", "<!channel>", "<@U…>", "<!subteam^S…>"; all else is left out."""
    return " ".join(target for target in targets if _MENTION.fullmatch(target))


def target_label(target: str) -> str:
    """The same target in a sentence: "@here" as words, which notify nobody.

    People and groups stay mark-up, for Slack alone knows their names.
    """
    return _BROADCASTS.get(target) or mentions([target]) or escape(target, NAME_MAX)


def bold(escaped: str) -> str:
    """Bold, of a text that is escaped already."""
    return f"*{escaped}*"


def strikethrough(escaped: str) -> str:
    """Struck through, of a text that is escaped already."""
    return f"~{escaped}~"
