"""Messages about notices that could not be read: in channels, and to the operators."""

from __future__ import annotations

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text, web_url
from formatters.models.notice import ID_MAX, canonical_id, category_from_id
from formatters.text import vocabulary

GRACEDB_URL_TEMPLATE = "https://gracedb.ligo.org/superevents/{}/view/"


def gracedb_url(superevent_id: str) -> str | None:
    """Return the address of a superevent's page in GraceDB; None if the id is not in LVK's usual form."""
    usual = canonical_id(superevent_id)
    return None if usual is None else GRACEDB_URL_TEMPLATE.format(usual)


def message(superevent_id: str, reason: str, gracedb: str | None = None) -> Message:
    """Return the post that reports an unreadable notice of `superevent_id` and links GraceDB.

    `reason` is one sentence without secrets. `gracedb` is the address that the notice gives, if that much
    could be read; without it, the address is derived from the id.
    """
    front = vocabulary.category_label(category_from_id(superevent_id))
    name = plain_text(superevent_id, ID_MAX)
    text = f"A notice of {name} arrived that gwevent couldn't read"
    if front is not None:
        text = f"{front}: {text}"
    because = f"{plain_text(reason, 200).rstrip('.')}."
    shown = [blocks.section(bold(escape(f"{text}.")), escape(because))]
    url = web_url(gracedb) or web_url(gracedb_url(superevent_id))
    if url is not None:
        shown.append(blocks.actions(blocks.button("GraceDB", "link.gracedb", url=url)))
    return blocks.message(
        escape(f"{text} ({because.rstrip('.')}). See GraceDB: {url or 'gracedb.ligo.org'}", 500), *shown
    )


def quarantine_report(
    superevent_id: str | None, reason: str, origin: str, *, is_of_stream: bool = False
) -> Message:
    """Return the report to the operators about a quarantined payload: its origin, and how to retry it.

    `superevent_id` is None if the payload's id could not be read. Of those that are `is_of_stream`, from a
    topic beside LVK's notices, one an hour is reported.
    """
    what = "A payload" if superevent_id is None else f"A notice of {plain_text(superevent_id)}"
    text = f"{what} couldn't be handled and is in quarantine: {plain_text(reason, 300).rstrip('.')}."
    again = f"From {plain_text(origin, 200)}. `gwevent replay --quarantine` tries again."
    if is_of_stream:
        again += (
            " No alert is missing. More of this kind within the hour are counted by `gwevent doctor` only."
        )
    return blocks.message(escape(text), blocks.section(bold(escape(text)), escape(again)))
