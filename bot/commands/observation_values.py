"""What a report comes to: which fields of a plan, a report for each band, and what can't be true. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.commands.errors import CommandError
from bot.commands.observe_fields import PastedFields
from bot.commands.observe_sentences import TOLD
from bot.commands.observe_targets import Target
from bot.commands.observe_times import CLOCKS_DIFFER
from bot.commands.observe_values import Selection
from bot.commands.observe_words import NOTE_MAX, ObserveWords, Verb
from bot.commands.sentence_reports import ReportMeaning, SentenceReport
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.observation import MAX_FIELDS, NewObservation, Observation, ObservationStatus
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import night_times, quantities

EXAMPLE_DELAY = timedelta(minutes=10)
"""How long after the merger the time lies that a refusal gives as an example: one it would not refuse."""
_MAX_NAMED = 4
"""Telescopes for each of which a command is offered."""
Report = str | SentenceReport
"""What is reported: the words that were typed after `observe`, or what a sentence tells."""


class ImpossibleTime(CommandError):
    """A time at which nobody can have observed the event."""


def chosen_numbers(
    selection: Selection | None, count: int, left: set[int], instrument: str
) -> tuple[int, ...]:
    """Return the numbers of the fields of a plan that are meant. Raises CommandError for those it hasn't."""
    if selection is None or selection.is_all or selection.is_rest:
        return tuple(sorted(left))
    numbers = selection.numbers or tuple(range(1, (selection.first or 0) + 1))
    if max(numbers) > count:
        raise CommandError(
            f"The plan of {instrument} has {quantities.pluralize(count, 'field')}, not {max(numbers)}."
        )
    return numbers


def planned_fields(new: NewObservation, pasted: PastedFields) -> NewObservation:
    """Return a plan with pasted fields; those that stand there for several bands are one field each."""
    bands = list(dict.fromkeys(row.band for row in pasted.rows if row.band))
    band = new.band or (bands[0] if len(bands) == 1 else None)
    said = f"bands {', '.join(bands[:8])}" if len(bands) > 1 and new.band is None else ""
    fields = tuple({(row.field.ra, row.field.dec): row.field for row in pasted.rows}.values())
    note = " ".join(part for part in (said, new.note) if part)[:NOTE_MAX]
    return replace(new, fields=fields, band=band, note=note)


def done_fields(new: NewObservation, pasted: PastedFields) -> list[NewObservation]:
    """Return a report for each band of pasted fields. Raises CommandError where two bands are said."""
    by_band: dict[str | None, list[int]] = {}
    for at, row in enumerate(pasted.rows):
        if row.band and new.band and row.band != new.band:
            raise CommandError(
                f"The line above says {new.band}, a row says {row.band}: leave one of them out."
            )
        by_band.setdefault(row.band or new.band, []).append(at)
    reports = []
    for band, rows in by_band.items():
        depths = [depth for at in rows if (depth := pasted.rows[at].depth) is not None]
        note = new.note
        if new.depth is None and depths and min(depths) != max(depths):
            # The shallowest is what all its fields have.
            note = f"depths {min(depths):g} to {max(depths):g} {note}".strip()[:NOTE_MAX]
        depth = new.depth if new.depth is not None else min(depths, default=None)
        fields = tuple(pasted.rows[at].field for at in rows)
        if new.observed_at is not None:
            fields = tuple(
                one if one.time is not None else replace(one, time=new.observed_at) for one in fields
            )
        observed_at = None if any(one.time is not None for one in fields) else new.observed_at
        reports.append(
            replace(
                new, band=band, depth=depth, note=note, fields=fields[:MAX_FIELDS], observed_at=observed_at
            )
        )
    return reports


def check_time(time: datetime | None, superevent: Superevent, now: datetime) -> None:
    """Raise ImpossibleTime for a time at which nobody can have observed the event."""
    if time is None:
        return
    said = night_times.utc_day_and_clock(time)
    if time > now + CLOCKS_DIFFER:
        raise ImpossibleTime(f"{said} is still to come: report what is planned with plan.")
    merger = merger_time(superevent)
    if merger is not None and time < merger:
        if time.year != merger.year:
            # A year that was mistyped shows.
            said = f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        raise ImpossibleTime(
            f"{said} is before the merger ({night_times.utc_day_and_clock(merger)}): write the date too, as"
            f" in at {(merger + EXAMPLE_DELAY).astimezone(UTC):%Y-%m-%d %H:%M} UTC."
        )


def complete_report(superevent: Superevent, report: Report) -> str:
    """Return the words of a report as the grammar of `observe` reads them.

    Raises CommandError for sentences that say what happened, and not exactly what is to be stored: that a
    telescope gives up, what was done and not by which one, or what isn't understood.
    """
    if isinstance(report, str):
        return report
    event = superevent.superevent_id
    names = [plain_text(name, 40) for name in report.telescopes[:_MAX_NAMED]]
    match report.meaning:
        case ReportMeaning.OBSERVED:
            return f"{TOLD} {report.words}"
        case ReportMeaning.GIVES_UP:
            raise CommandError(
                f"Nothing was changed. To give up the plan of {' and '.join(names)}: "
                f"{', '.join(_cancel_command(name, report.words, event) for name in names)}."
            )
        case ReportMeaning.UNCLEAR:
            said, command = " and ".join(names), f"/gwevent observe {names[0]}"
            raise CommandError(
                f"Nothing was stored, since what that says of {said} isn't clear. All fields of its plan"
                f" are done: {command} done {event}. It gives up its plan: {command} cancel {event}. It makes"
                f" a plan: {command} plan {event}. It observes, fields not said: {command} {event}. What is"
                f" reported so far: /gwevent observe {event}."
            )
        case ReportMeaning.NO_TELESCOPE:
            values = f" {plain_text(report.words, 80)}" if report.words else ""
            raise CommandError(
                "Nothing was stored. Which telescope? Write its name too, as in /gwevent observe ZTF"
                f" done{values} {event}."
            )


def _cancel_command(name: str, reason: str, event: str) -> str:
    return " ".join(f"/gwevent observe {name} cancel {plain_text(reason, 80)} {event}".split())


def is_without_fields(words: ObserveWords, report: Report) -> bool:
    """Return whether a sentence tells that something is done, with or without a band and a depth alone."""
    is_said = words.fields is not None or words.values.selection is not None
    return words.verb is Verb.DONE and isinstance(report, SentenceReport) and not is_said


def which_fields(new: NewObservation, name: str, plan: Observation | None) -> CommandError:
    """Return the question about a report told in a sentence: which fields are meant would be a guess.

    `name` is the instrument's as it is typed; `plan` is its plan, None if it has none.
    """
    said = "" if new.band is None else f" {new.band.replace(' (Vega)', ' Vega')}"
    said += "" if new.depth is None else f" {'mag ' if new.band is None else ''}{new.depth:g}"
    when = "" if new.observed_at is None else f" at {new.observed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    command, event = f"/gwevent observe {name} done", new.superevent_id
    asked = "Nothing was stored, since which fields were observed isn't said."
    if plan is None or not plan.fields:
        return CommandError(
            f"{asked} {new.instrument} has no plan with fields in this channel: paste them, one on each line"
            f" below {command}{said}{when} {event}. That alone stores that it observed, without fields."
        )
    all_of_it = f"{asked} All fields of its plan: {command}{said}{when} {event}."
    if len(plan.fields) == 1:
        return CommandError(all_of_it)
    first = min(12, len(plan.fields))
    band = (new.band or "r").replace(" (Vega)", " Vega")
    depth = 21.5 if new.depth is None else new.depth
    return CommandError(
        f"{all_of_it} The first {first} of them, in {band} to {depth:g} mag:"
        f" {command} {first} {band} mag {depth:g}{when} {event}."
    )


def refuse_retracted(superevent: Superevent) -> None:
    """Raise CommandError if nothing is to be observed any more."""
    if superevent.is_retracted:
        name = alert_card.name_without_retraction(superevent)
        raise CommandError(f"{name} was retracted: there is nothing to observe.")


def merger_time(superevent: Superevent) -> datetime | None:
    """Return when the event happened; None if that isn't known."""
    return None if superevent.event is None else superevent.event.time


def typed_name(target: Target | None) -> str:
    """Return an instrument's name as it is typed behind `observe`: in quotes unless gwevent knows it."""
    if target is None:
        return ""
    return target.name if target.is_known else f'"{target.name}"'


def name_notes(target: Target | None) -> tuple[str, ...]:
    """Return the sentence that an instrument is kept by its name alone, if it is."""
    if target is None or target.is_known:
        return ()
    return (f"“{target.name}” is no instrument that gwevent knows: it is stored under this name.",)


def thread_notes(superevent: Superevent, *, has_thread: bool) -> tuple[str, ...]:
    """Return the sentence that no card shows a report, if so."""
    if has_thread:
        return ()
    return (
        f"This channel has no message of {superevent.superevent_id}: who asks here with observe or coverage"
        " sees it.",
    )


def footprint_notes(observation: Observation) -> tuple[str, ...]:
    """Return the sentence that nothing can be said of a share of the map, if so."""
    if observation.footprint is not None or not observation.fields:
        return ()
    return (
        f"The field of view of {observation.instrument} isn't known, so neither is its share of the map; to"
        " give a site one: /gwevent sites add NAME fov 1.1deg circle.",
    )


def as_observation(new: NewObservation, now: datetime) -> Observation:
    """Return what will be stored, for words about it."""
    return Observation(
        id=0,
        superevent_id=new.superevent_id,
        instrument=new.instrument,
        status=ObservationStatus.PLANNED,
        user_id=new.user_id,
        created_at=now,
        changed_at=now,
        footprint=new.footprint,
        fields=new.fields,
        band=new.band,
        depth=new.depth,
    )
