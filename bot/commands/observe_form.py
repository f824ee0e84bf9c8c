"""From the inputs of the dialog to the words that `observe` reads, so that both are one grammar. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bot.commands.errors import CommandError
from bot.commands.observe_words import parse_observe_words
from bot.commands.position_sentences import has_position
from bot.filters import FilterSyntaxError
from bot.observing.instruments import Instruments
from formatters.models.observing import ChannelSites
from formatters.views.observe_modal import ObserveForm


def form_words(form: ObserveForm) -> str:
    """Return the words after `observe` that report what a form says, with lines of fields below them.

    Raises CommandError where the inputs don't go together.
    """
    name = (form.other or form.instrument or "").replace('"', "").strip()
    details = {"fields": form.fields, "band": form.band, "depth": form.depth, "time": form.time}
    if form.status in ("observing", "cancel") and any(details.values()):
        if form.status == "cancel":
            raise CommandError("What is cancelled is the plan: leave fields, band, depth and time empty.")
        raise CommandError("Are these fields planned or done? Choose one of the two.")
    if not name:
        if form.status not in ("observing", "cancel") or form.note:
            raise CommandError("Fields and notes belong to a telescope: choose one, or name another.")
        return "without a telescope cancel" if form.status == "cancel" else "without a telescope"
    head = f'"{name}" {form.status}'
    if form.status == "cancel":
        # Behind "note", so that no word of the reason is read as one of the grammar: "done".
        return f"{head} note {_line(form.note)}" if form.note else head
    parts = [head, *(words for _, words in _pieces(form) if "\n" not in words)]
    if form.note:
        parts.append(f"note {_line(form.note)}")
    lines = [words for _, words in _pieces(form) if "\n" in words]
    return " ".join(parts) + "".join(lines)


def input_errors(
    form: ObserveForm, own: ChannelSites, instruments: Instruments, now: datetime
) -> dict[str, str]:
    """Return the sentences about inputs that can't be read, by their names; empty if each can be."""
    try:
        form_words(form)
    except CommandError as error:
        is_fields = form.status in ("observing", "cancel")
        return {"status" if is_fields else "instrument": str(error)}
    errors = {}
    name = (form.other or form.instrument or "").replace('"', "").strip()
    try:
        parse_observe_words(f'"{name}" done' if name else "without a telescope", own, instruments, now)
    except FilterSyntaxError as error:
        errors["other" if form.other else "instrument"] = str(error)
    for input_name, words in _pieces(form):
        # A plan's words are read by `plan`, whose sentences are told by the whole report.
        status = "done" if input_name != "fields" or "\n" in words else form.status
        try:
            parse_observe_words(f'"{name or "x1"}" {status} {words}', own, instruments, now)
        except FilterSyntaxError as error:
            errors.setdefault(input_name, str(error))
    return errors


def _pieces(form: ObserveForm) -> Iterator[tuple[str, str]]:
    """Yield the inputs that say something of an observation, each with its words."""
    if form.fields:
        is_lines = "\n" in form.fields or has_position(form.fields)
        yield "fields", f"\n{form.fields}" if is_lines else form.fields
    if form.band:
        yield "band", f"band {'-'.join(form.band.split())}"
    if form.depth:
        yield "depth", f"mag {_line(form.depth)}"
    if form.time:
        yield "time", f"at {_line(form.time)}"


def _line(text: str) -> str:
    return " ".join(text.split())
