"""Escaping for mrkdwn and plain text, truncation, and Slack's limits.

Slack has three escapes (`&amp; &lt; &gt;`) but none for `* _ ~`, the backtick and `:emoji:`. In text from
outside, characters that could format are therefore replaced by look-alikes.

Sources of the limits: docs.slack.dev/reference/block-kit and, for undocumented ones, PyPI `slackblocks`.
Lengths count UTF-16 units of the escaped text, the strictest interpretation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

NBSP = "\u00a0"
"""No-break space."""
TEXT_MAX = 4_000
"""Limit of a message's `text` in chat.update (docs.slack.dev/reference/methods/chat.update)."""
SECTION_MAX = 3_000
HEADER_MAX = 150
CONTEXT_TEXT_MAX = 3_000
CONTEXT_ELEMENTS_MAX = 10
ALT_TEXT_MAX = 2_000
"""Limit of an image block's alt_text (docs.slack.dev/reference/block-kit/blocks/image-block)."""
ACTIONS_MAX = 25
BUTTON_TEXT_MAX = 75
BUTTON_URL_MAX = 3_000
BUTTON_VALUE_MAX = 2_000
OVERFLOW_MAX = 5
"""Limit of the options of an overflow menu (docs.slack.dev/reference/block-kit, OverflowMenuElement)."""
OVERFLOW_MIN = 2
"""Slack's documentation once demanded two options of an overflow menu, and its SDK now says one."""
OPTION_TEXT_MAX = 75
OPTION_VALUE_MAX = 150
CONFIRM_TEXT_MAX = 300
"""Limit of the text in a button's confirmation dialog."""
TABLE_ROWS_MAX = 100
CELL_MAX = 100
"""gwevent's own limit of a table cell."""
MESSAGE_BLOCKS_MAX = 50
MESSAGE_TOTAL_MAX = 10_000
"""Limit of all text in a message.

It is undocumented: `msg_blocks_too_long` was seen from 11,341 characters on (slackapi/bolt-js issues 2509 and
2867).
"""
NAME_MAX = 60
"""gwevent's own limit of a name from outside (pipeline, search, observatory); real ones are below 20."""
SENTENCE_MAX = 300
"""gwevent's own limit of a sentence that contains text from outside."""

_MENTION = re.compile(r"<!here>|<!channel>|<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>")
_BROADCASTS = {"<!here>": "@here", "<!channel>": "@channel"}
_LOOK_ALIKES = {"*": "∗", "~": "∼", "`": "ˋ", "_": "ˍ"}
_ELLIPSIS = "…"
# An underscore inside a word does not format, and many names contain one, so it is kept.
_FORMATTING = re.compile(r"[*~`]|(?<!\w)_|_(?!\w)|(?<=_)_")
_CUT_ENTITY_OR_LINK = re.compile(r"(&[a-z]*|<[^>]*)\Z")
_QUOTE = re.compile(r"^>")
_BLANKS = re.compile(r"[^\S\u00a0]+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_EMOJI = re.compile(r":(?=[A-Za-z+][\w+'-]*:)")


def replace_nbsp(text: str) -> str:
    """Replace no-break spaces by plain ones, for terminals and notifications."""
    return text.replace(NBSP, " ")


def sanitize_line(text: str) -> str:
    """Return the text as one line of printable characters, with runs of white space collapsed.

    Control characters are removed, and so are invisible format characters, which can reverse the direction of
    the text after them.
    """
    if not text.replace(NBSP, "").isprintable():
        text = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    return _BLANKS.sub(" ", text).strip()


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 units, as JavaScript counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _escape_entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _neutralize_formatting(text: str) -> str:
    # Slack quotes a line that begins with ">", escaped or not.
    unquoted = _QUOTE.sub("＞", text)
    return _EMOJI.sub("꞉", _FORMATTING.sub(lambda mark: _LOOK_ALIKES[mark[0]], unquoted))


def truncate(text: str, limit: int, *, escaped: bool = False) -> str:
    """Truncate unescaped text to `limit` UTF-16 units and mark the cut with "…".

    If `escaped`, count the length that the text will have after escaping.
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
    # Without room for the ellipsis, return nothing rather than an unmarked cut.
    return "".join(kept).rstrip() + _ELLIPSIS if limit >= utf16_length(_ELLIPSIS) else ""


def escape(text: str, limit: int = SENTENCE_MAX) -> str:
    """Return text from outside as safe mrkdwn: it appears literally, and neither formats nor mentions."""
    return _escape_entities(truncate(_neutralize_formatting(sanitize_line(text)), limit, escaped=True))


def plain_text(text: str, limit: int = NAME_MAX) -> str:
    """Return text from outside as one bounded line, not escaped.

    It suits plain_text objects, in which Slack interprets neither entities nor formatting, and text that is
    escaped later.
    """
    return truncate(sanitize_line(text), limit)


def truncate_escaped(escaped: str, limit: int) -> str:
    """Truncate escaped text to `limit` UTF-16 units without cutting an entity or a link in two."""
    if utf16_length(escaped) <= limit:
        return escaped
    return _CUT_ENTITY_OR_LINK.sub("", truncate(escaped, limit).removesuffix(_ELLIPSIS)).rstrip() + _ELLIPSIS


def unescape(text: str) -> str:
    """Replace Slack's three entities by their characters, once, to recover the text that a person typed."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def web_url(url: object, limit: int = BUTTON_URL_MAX) -> str | None:
    """Return the URL if it is safe to link (http or https, with a host, no white space), else None."""
    if not isinstance(url, str) or utf16_length(url) > limit or re.search(r"[\s<>|\x00-\x1f\x7f\"\\]", url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return url if parts.scheme.lower() in {"http", "https"} and host else None


def link(url: object, label: str) -> str:
    """Return a mrkdwn link, or only the escaped label if the URL is not safe to link."""
    target = web_url(url)
    words = escape(label)
    return words if target is None else f"<{target.replace('&', '&amp;')}|{words}>"


def mentions(targets: Iterable[str]) -> str:
    """Return mrkdwn that notifies the targets.

    Only "<!here>", "<!channel>", "<@U…>" and "<!subteam^S…>" are valid targets; everything else is dropped.
    """
    return " ".join(target for target in targets if _MENTION.fullmatch(target))


def target_label(target: str) -> str:
    """Return a mention target for use in a sentence: broadcasts as words ("@here"), which notify nobody.

    People and groups remain mentions, because only Slack knows their names.
    """
    return _BROADCASTS.get(target) or mentions([target]) or escape(target, NAME_MAX)


def bold(escaped: str) -> str:
    """Return escaped text in bold."""
    return f"*{escaped}*"


def strikethrough(escaped: str) -> str:
    """Return escaped text struck through."""
    return f"~{escaped}~"
