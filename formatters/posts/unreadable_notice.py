"""The least that can be said of a notice that couldn't be read."""

from __future__ import annotations

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text, web_url
from formatters.models.notice import ID_MAX, canonical_id, category_from_id
from formatters.text import vocabulary

GRACEDB_URL_TEMPLATE = "https://gracedb.ligo.org/superevents/{}/view/"


def gracedb_url(superevent_id: str) -> str | None:
    """GraceDB's page of an event; None for an id that no page of GraceDB has."""
    usual = canonical_id(superevent_id)
    return None if usual is None else GRACEDB_URL_TEMPLATE.format(usual)


def message(superevent_id: str, reason: str, gracedb: str | None = None) -> Message:
    """Say that a notice of `superevent_id` arrived that couldn't be read, and where to look.

    `reason` is one sentence without anything secret in it; `gracedb` the notice's own link, if it could
    be read.
    """
    front = vocabulary.category_label(category_from_id(superevent_id))
    name = plain_text(superevent_id, ID_MAX)
    said = f"A notice of {name} arrived that gwevent couldn't read"
    if front is not None:
        said = f"{front}: {said}"
    because = f"{plain_text(reason, 200).rstrip('.')}."
    shown = [blocks.section(bold(escape(f"{said}.")), escape(because))]
    url = web_url(gracedb) or web_url(gracedb_url(superevent_id))
    if url is not None:
        shown.append(blocks.actions(blocks.button("GraceDB", "link.gracedb", url=url)))
    return blocks.message(
        escape(f"{said} ({because.rstrip('.')}). See GraceDB: {url or 'gracedb.ligo.org'}", 500), *shown
    )


def quarantine_report(superevent_id: str | None, reason: str, origin: str) -> Message:
    """Tell who runs the bot that a payload went to quarantine, where it came from, and how to try again."""
    what = "A payload" if superevent_id is None else f"A notice of {plain_text(superevent_id)}"
    said = f"{what} couldn't be handled and is in quarantine: {plain_text(reason, 300).rstrip('.')}."
    again = f"From {plain_text(origin, 200)}. `gwevent replay --quarantine` tries again."
    return blocks.message(escape(said), blocks.section(bold(escape(said)), escape(again)))
