"""What is wrong with the bot itself, told to who runs it: once when it begins, and again when it is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.incident import Incident, IncidentKind
from formatters.text import quantities

_ADVICE = {
    IncidentKind.SILENCE: "LVK's mocks come every hour, so the source or LVK itself is silent. `gwevent doctor` "
    "tries the way to the broker.",
    IncidentKind.SOURCE: "Nothing is lost: the broker keeps what comes. `gwevent doctor` says what to do.",
    IncidentKind.LAG: "What was read is posted; the rest comes as soon as it can be read.",
    IncidentKind.DELIVERIES: "They wait in the ledger and aren't lost. The log names each one's reason.",
    IncidentKind.SLACK: "Commands aren't answered; alerts are posted all the same. The connection is opened anew.",
    IncidentKind.STORE: "Notices wait at the broker and aren't lost. Is the disk full, or the database down?",
    IncidentKind.SPACE: "Once it is full, notices wait at the broker. Make room there; payloads of mocks take most, "
    "and `GWEVENT_MOCK_PAYLOAD_DAYS` says how long they stay.",
    IncidentKind.WORKERS: "Alerts are stored, and wait. Does `gwevent serve` run, and is it connected to Slack?",
    IncidentKind.CLOCK: "Nothing is given up or deleted for its age until an hour has passed without a jump. "
    "Is the machine's time synchronised (`timedatectl`, `chronyc tracking`)?",
}


def sentence(trouble: Incident) -> str:
    """What is wrong and since when, one plain sentence without its full stop."""
    detail = plain_text(trouble.detail, 300).rstrip(".")
    since = f"since {quantities.utc(trouble.since)}"
    match trouble.kind:
        case IncidentKind.SILENCE:
            return f"No notice has come {since}"
        case IncidentKind.SOURCE:
            # The detail is the source's own sentence, which says since when.
            return f"The source can't be read: {detail}" if detail else f"The source can't be read {since}"
        case IncidentKind.LAG:
            return f"The reader lags {since}" + (f": {detail} still to read" if detail else "")
        case IncidentKind.DELIVERIES:
            return "Deliveries wait" + (f": {detail}, the oldest {since}" if detail else f" {since}")
        case IncidentKind.SLACK:
            return f"Slack's connection for commands is out {since}" + (f": {detail}" if detail else "")
        case IncidentKind.STORE:
            return f"The database can't be used {since}" + (f": {detail}" if detail else "")
        case IncidentKind.SPACE:
            return f"The database's disk is nearly full {since}" + (f": {detail}" if detail else "")
        case IncidentKind.WORKERS:
            return f"No process delivers {since}"
        case IncidentKind.CLOCK:
            return f"{detail or 'The clock jumped'} ({since})"


def kind_label(what: IncidentKind) -> str:
    """The trouble in a few words."""
    return {
        IncidentKind.SILENCE: "no notices",
        IncidentKind.SOURCE: "source out of reach",
        IncidentKind.LAG: "reader behind",
        IncidentKind.DELIVERIES: "deliveries waiting",
        IncidentKind.SLACK: "Slack's connection for commands out",
        IncidentKind.STORE: "database out of reach",
        IncidentKind.SPACE: "database's disk nearly full",
        IncidentKind.WORKERS: "nobody delivers",
        IncidentKind.CLOCK: "clock jumped",
    }[what]


def clock_detail(ahead_s: float, *, corrected: bool) -> str:
    """What is known of a clock that was wrong by so many seconds (negative: behind)."""
    by = quantities.duration_text(timedelta(seconds=abs(ahead_s)))
    if corrected:
        side = "ahead of" if ahead_s > 0 else "behind"
        return f"gwevent's clock was {by} {side} Slack's or the database's, and follows theirs now"
    side = "ahead" if ahead_s > 0 else "back"
    return f"The machine's clock jumped {by} {side}; gwevent goes on by its own count"


def advice(what: IncidentKind) -> str:
    """What it means and what to do, as mrkdwn without anything to escape."""
    return _ADVICE[what]


def opened(trouble: Incident) -> Message:
    """Tell of a trouble; where it ended before it could be told, of both."""
    said = f"{sentence(trouble)}."
    if trouble.ended is not None:
        said = f"{said} Over since {quantities.utc(trouble.ended)}."
        return blocks.message(escape(f"gwevent was in trouble: {said}"), blocks.section(escape(said)))
    return blocks.message(
        escape(f"gwevent in trouble: {said}"),
        blocks.section(bold(escape(said)), advice(trouble.kind)),
    )


def resolved(trouble: Incident) -> Message:
    """Tell that it is over, and how long it was."""
    ended = trouble.ended or trouble.since
    length = quantities.duration_text(ended - trouble.since)
    said = f"Over after {length}: {kind_label(trouble.kind)}, from {quantities.utc(trouble.since)} on."
    return blocks.message(escape(f"gwevent: {said}"), blocks.section(escape(said)))


def first_real_event(superevent_id: str, alert_type: str, before: datetime | None) -> Message:
    """Tell that real notices come again, or for the first time (`before` is None).

    `before` is the time of the newest real event until then.
    """
    what = f"The first real notice: {plain_text(superevent_id)} {plain_text(alert_type)}."
    if before is None:
        past = "Until now this gwevent has seen none but mocks and tests."
    else:
        past = f"The real event before it was of {before:%Y-%m-%d}."
    check = "`/gwevent subscriptions` in a channel says what comes there."
    return blocks.message(escape(f"{what} {past}"), blocks.section(bold(escape(what)), escape(past), check))
