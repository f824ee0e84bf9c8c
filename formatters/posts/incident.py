"""Messages to the operators about incidents of gwevent itself: opened, resolved, first real event."""

from __future__ import annotations

from datetime import datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.incident import Incident, IncidentKind
from formatters.text import quantities

_ADVICE = {
    IncidentKind.SILENCE: (
        "LVK sends a mock every hour, so either the connection to the source or LVK itself has a problem."
        " `gwevent doctor` checks the connection to the broker."
    ),
    IncidentKind.SOURCE: "Nothing is lost: the broker keeps new notices. `gwevent doctor` says what to do.",
    IncidentKind.LAG: "What was read is posted; the rest follows as soon as gwevent can read it.",
    IncidentKind.DELIVERIES: "They wait in the outbox and aren't lost. The log gives the reason for each.",
    IncidentKind.SLACK: "gwevent can't answer commands, but still posts alerts. It is reconnecting.",
    IncidentKind.STORE: (
        "Notices wait at the broker and aren't lost. Check whether the disk is full or the database is down."
    ),
    IncidentKind.SPACE: (
        "When it is full, notices wait at the broker. Free space on it; payloads of mocks need the most,"
        " and `GWEVENT_MOCK_PAYLOAD_DAYS` sets how long they are kept."
    ),
    IncidentKind.WORKERS: (
        "Alerts are stored and wait. Check that `gwevent serve` runs and is connected to Slack."
    ),
    IncidentKind.CLOCK: (
        "For an hour after the last jump, gwevent doesn't give up or delete anything for its age."
        " Check that the machine's time is synchronised (`timedatectl`, `chronyc tracking`)."
    ),
}


def sentence(trouble: Incident) -> str:
    """Return the incident and its start time (UTC) as one plain sentence without a full stop, not escaped."""
    detail = plain_text(trouble.detail, 300).rstrip(".")
    since = f"since {quantities.utc(trouble.since)}"
    match trouble.kind:
        case IncidentKind.SILENCE:
            return f"No notice has arrived {since}"
        case IncidentKind.SOURCE:
            # `detail` is the source's own sentence, which includes the start time.
            return f"The source can't be read: {detail}" if detail else f"The source can't be read {since}"
        case IncidentKind.LAG:
            return f"Reading has been behind {since}" + (f": {detail} still to read" if detail else "")
        case IncidentKind.DELIVERIES:
            return "Deliveries wait" + (f": {detail}, the oldest {since}" if detail else f" {since}")
        case IncidentKind.SLACK:
            return f"The connection to Slack for commands has been lost {since}" + (
                f": {detail}" if detail else ""
            )
        case IncidentKind.STORE:
            return f"The database has been unavailable {since}" + (f": {detail}" if detail else "")
        case IncidentKind.SPACE:
            return f"The database's disk has been nearly full {since}" + (f": {detail}" if detail else "")
        case IncidentKind.WORKERS:
            return f"No process has been posting alerts {since}"
        case IncidentKind.CLOCK:
            return f"{detail or 'The clock jumped'} ({since})"


def kind_label(what: IncidentKind) -> str:
    """Return a label of two to six words for a kind of incident, as in "reading behind"."""
    return {
        IncidentKind.SILENCE: "no notices",
        IncidentKind.SOURCE: "source unreachable",
        IncidentKind.LAG: "reading behind",
        IncidentKind.DELIVERIES: "deliveries waiting",
        IncidentKind.SLACK: "connection to Slack for commands lost",
        IncidentKind.STORE: "database unavailable",
        IncidentKind.SPACE: "database's disk nearly full",
        IncidentKind.WORKERS: "no process posts alerts",
        IncidentKind.CLOCK: "clock jumped",
    }[what]


def clock_detail(ahead_s: float, *, corrected: bool) -> str:
    """Return a description of a clock error of `ahead_s` seconds (negative: the clock was behind).

    `corrected` is True if gwevent's own clock was wrong and has been corrected, False if the machine's clock
    jumped.
    """
    by = quantities.duration_text(timedelta(seconds=abs(ahead_s)))
    if corrected:
        side = "ahead of" if ahead_s > 0 else "behind"
        return f"gwevent's clock was {by} {side} Slack's or the database's, and now follows theirs"
    side = "ahead" if ahead_s > 0 else "back"
    return f"The machine's clock jumped {by} {side}; gwevent continues with its own clock"


def advice(what: IncidentKind) -> str:
    """Return the meaning of this kind of incident and what to do about it, as escaped mrkdwn."""
    return _ADVICE[what]


def opened(trouble: Incident) -> Message:
    """Return the message about a new incident.

    If the incident has already ended, the message reports the end too.
    """
    if trouble.ended is not None:
        text = (
            f"gwevent had a problem, now over: {kind_label(trouble.kind)},"
            f" from {quantities.utc(trouble.since)} to {quantities.utc(trouble.ended)}."
        )
        return blocks.message(escape(text), blocks.section(escape(text)))
    text = f"{sentence(trouble)}."
    return blocks.message(
        escape(f"gwevent has a problem: {text}"),
        blocks.section(bold(escape(text)), advice(trouble.kind)),
    )


def resolved(trouble: Incident) -> Message:
    """Return the message about the end of an incident, with its duration."""
    ended = trouble.ended or trouble.since
    length = quantities.duration_text(ended - trouble.since)
    text = f"Over after {length}: {kind_label(trouble.kind)} (began {quantities.utc(trouble.since)})."
    return blocks.message(escape(f"gwevent: {text}"), blocks.section(escape(text)))


def first_real_event(superevent_id: str, alert_type: str, before: datetime | None) -> Message:
    """Return the message about the first real notice ever, or the first one after a long time.

    `before` is the time of the previous real event; None if there was none.
    """
    what = f"The first real notice: {plain_text(superevent_id)} {plain_text(alert_type)}."
    if before is None:
        past = "Until now this gwevent has received only mocks and tests."
    else:
        past = f"The previous real event was on {before:%Y-%m-%d}."
    check = "`/gwevent subscriptions` in a channel lists what it receives."
    return blocks.message(escape(f"{what} {past}"), blocks.section(bold(escape(what)), escape(past), check))
