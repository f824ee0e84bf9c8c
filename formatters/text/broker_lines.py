"""The sources of alerts and of everything else, in lines for `status` and the App Home."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.source_status import SourceStatus
from formatters.text import quantities

MAX_TOPICS = 12
"""Most topics that one line names."""
_DETAIL_MAX = 200


def broker_lines(sources: Sequence[SourceStatus]) -> list[str]:
    """Return a line for each source of alerts, then few for all other topics; not escaped."""
    required = [source for source in sources if not source.is_optional]
    return [*map(_required_line, required), *_optional_lines(sources)]


def _required_line(source: SourceStatus) -> str:
    """Describe a source, not escaped, for example "hopskotch: connected · reads igwn.gwalert"."""
    state = "connected" if source.connected else "NOT CONNECTED"
    text = f"{plain_text(source.name)}: {state}"
    if source.detail:
        text += f" · {plain_text(source.detail, _DETAIL_MAX)}"
    if source.lag:
        text += f" · {quantities.pluralize(source.lag, 'payload')} still to read"
    return text


def _optional_lines(sources: Sequence[SourceStatus]) -> list[str]:
    """Describe the optional topics: those read together, those not read by their reason.

    Of several consumers of a topic one that reads it is enough. A topic that another broker brings isn't
    missed.
    """
    read: dict[tuple[str, str], int] = {}
    unread: dict[tuple[str, str], str] = {}
    for source in (source for source in sources if source.is_optional):
        key = source.name, source.topic
        if source.connected:
            read[key] = min(read.get(key, source.lag or 0), source.lag or 0)
        else:
            unread.setdefault(key, source.detail)
    brought = {topic for _, topic in read}
    lines = []
    for name, keys in groupby(sorted(read, key=_broker), key=_broker):
        found = list(keys)
        line = f"{plain_text(name)} also: {_named([topic for _, topic in found])}"
        lag = sum(read[key] for key in found)
        lines.append(line + (f" · {quantities.pluralize(lag, 'payload')} still to read" if lag else ""))
    missed = {key: reason for key, reason in unread.items() if key[1] not in brought}
    out = {source.name for source in sources if not source.is_optional and not source.connected}

    def problem(key: tuple[str, str]) -> tuple[str, str]:
        return key[0], missed[key]

    for (name, reason), keys in groupby(sorted(missed, key=problem), key=problem):
        topics = _named([topic for _, topic in keys])
        line = f"{plain_text(name)} doesn't read {topics} (optional)"
        # While the broker is away, that is the reason, and it stands above.
        lines.append(line if name in out else f"{line}: {plain_text(reason, _DETAIL_MAX)}")
    return lines


def _broker(key: tuple[str, str]) -> str:
    return key[0]


def _named(topics: Sequence[str]) -> str:
    more = len(topics) - MAX_TOPICS
    named = ", ".join(plain_text(topic, 80) for topic in topics[:MAX_TOPICS])
    return f"{named} and {more} more" if more > 0 else named
