"""The modal of criteria sets: opened, put into words, and submitted to the service of criteria sets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck

from bot.commands.authorization import PermissionDenied
from bot.commands.context import CommandContext
from bot.commands.criteria_answers import answer_for
from bot.commands.criteria_service import (
    BuiltIn,
    CriteriaResult,
    CriteriaService,
    Doubtful,
    InUse,
    InvalidGrades,
    InvalidName,
    NameTaken,
    NoSuchSet,
    SetOutOfDate,
    TooManySets,
)
from bot.commands.errors import store_unavailable
from bot.criteria.grade_satisfiability import find_grade_objections
from bot.filters import FilterSyntaxError
from bot.listeners.channel_membership import STORE_UNAVAILABLE
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import get_client
from bot.store.database import StoreUnavailable
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.criteria_set import CriteriaSet
from formatters.views import criteria_modal
from formatters.views.criteria_modal import (
    CriteriaModalContext,
    CriteriaPreview,
    CriteriaSetForm,
    View,
)

SUBMIT_TIMEOUT_S = 2.0
"""Seconds after which a submission is acknowledged without its outcome; Slack waits 3 s for that."""
AFTER_ACKNOWLEDGEMENT_S = 0.5
"""Seconds after the acknowledgement before which the view isn't updated."""
_STILL_RUNNING = "This takes longer than usual; /gwevent criteria shows when it is done."

OnSaved = Callable[[CommandContext], Awaitable[None]]
"""Called after a change from App Home, with the person and their conversation with gwevent."""

log = structlog.get_logger(__name__)


class CriteriaModal:
    """Opens the modal, says in words what is entered in it, and makes the set or changes it."""

    def __init__(
        self,
        service: CriteriaService,
        clients: Mapping[str, SlackClient],
        on_saved: OnSaved,
        *,
        submit_timeout_s: float = SUBMIT_TIMEOUT_S,
    ) -> None:
        """`clients` by team id."""
        self._service = service
        self._clients = clients
        self._on_saved = on_saved
        self._submit_timeout_s = submit_timeout_s

    async def open(
        self, trigger_id: str, context: CommandContext, slug: str | None = None, *, from_home: bool = False
    ) -> Message | None:
        """Open the modal for a new set, or for the workspace's own one of this name.

        Return the answer to show if Slack doesn't open it.
        """
        place = CriteriaModalContext(channel_id=context.channel_id, from_home=from_home)
        try:
            client = get_client(self._clients, context.team_id)
            if slug is None:
                await client.open_view(
                    trigger_id, criteria_modal.view(place, CriteriaSetForm(), CriteriaPreview())
                )
                return None
            # Opened before anything is looked up: the trigger expires after 3 s.
            view_id = await client.open_view(trigger_id, criteria_modal.loading_page(place, "One moment …"))
            await client.update_view(view_id, await self._build_view(place, context, slug))
        except SlackFailure as failure:
            log.warning("modal_not_opened", reason=failure.reason)
            return helping.error_message(f"Slack didn't open the form ({failure.reason}). Try again.")
        return None

    async def _build_view(self, place: CriteriaModalContext, context: CommandContext, slug: str) -> View:
        """Return the modal filled with the set, or a page that says why it can't be edited."""
        try:
            found = await self._service.find(context.team_id, slug)
        except StoreUnavailable:
            return criteria_modal.result_page(place, helping.error_message(STORE_UNAVAILABLE))
        if not isinstance(found, CriteriaSet):
            return criteria_modal.result_page(place, answer_for(found))
        if found.is_built_in:
            return criteria_modal.result_page(place, answer_for(BuiltIn(found)))
        return criteria_modal.view(
            replace(place, edited=criteria_modal.state_of(found)),
            criteria_modal.form_from_set(found),
            CriteriaPreview(set_=found),
        )

    async def preview(self, context: CommandContext, view: Mapping[str, Any]) -> None:
        """Show in words what each entered grade asks, and which can hardly be given."""
        place = criteria_modal.parse_criteria_modal_context(view["private_metadata"])
        form = criteria_modal.parse_form(view["state"]["values"])
        preview = await self._read(context, place, form)
        await self._update_view(context.team_id, view["id"], criteria_modal.view(place, form, preview))

    async def _read(
        self, context: CommandContext, place: CriteriaModalContext, form: CriteriaSetForm
    ) -> CriteriaPreview:
        slug = form.name if place.edited is None else place.edited.slug
        try:
            entered = await self._service.parse(context, slug, form.grades)
        except FilterSyntaxError as error:
            return CriteriaPreview(errors={"grades": str(error)})
        except StoreUnavailable:
            return CriteriaPreview(errors={"grades": STORE_UNAVAILABLE})
        objections = await asyncio.to_thread(find_grade_objections, entered)
        return CriteriaPreview(set_=entered, objections=objections)

    async def submit(self, ack: AsyncAck, context: CommandContext, view: Mapping[str, Any]) -> None:
        """Make or change the set, and show the outcome in the modal.

        What can't be read is marked at its input. Grades that can hardly be given are stored when they are
        submitted again, after the modal has said so; so are those of a set that changed meanwhile.
        """
        place = criteria_modal.parse_criteria_modal_context(view["private_metadata"])
        form = criteria_modal.parse_form(view["state"]["values"])
        work = asyncio.create_task(self._save(context, place, form))
        done, _ = await asyncio.wait([work], timeout=self._submit_timeout_s)
        if done:
            await _acknowledge(ack, work.result(), place, form)
        else:
            await ack(response_action="update", view=criteria_modal.loading_page(place, _STILL_RUNNING))
            # Else Slack may show this after the update that follows, which may hold what they typed.
            outcome, _ = await asyncio.gather(work, asyncio.sleep(AFTER_ACKNOWLEDGEMENT_S))
            shown = _page(outcome, place, form)
            await self._update_view(context.team_id, view["id"], shown)
        if place.from_home:
            await self._on_saved(context)

    async def _save(
        self, context: CommandContext, place: CriteriaModalContext, form: CriteriaSetForm
    ) -> CriteriaResult | Message | CriteriaPreview:
        """Return the outcome, the answer that refuses the person, or what is wrong with the form."""

        async def store(*, anyway: bool) -> CriteriaResult:
            if place.edited is None:
                return await self._service.add(context, form.name, form.grades, anyway=anyway)
            return await self._service.edit(
                context,
                place.edited.slug,
                form.grades,
                anyway=anyway,
                seen=place.edited.fingerprint,
            )

        try:
            result = await store(anyway=False)
            if isinstance(result, Doubtful) and result.set.fingerprint == place.warned_about:
                # It was said before: whoever submits the same again insists on it.
                result = await store(anyway=True)
        except PermissionDenied as refusal:
            return helping.error_message(str(refusal))
        except StoreUnavailable:
            return CriteriaPreview(errors={"grades": STORE_UNAVAILABLE})
        return result

    async def remove(self, context: CommandContext, view: Mapping[str, Any], value: str) -> None:
        """Remove the set that the modal edits, and show the outcome in the modal."""
        place = criteria_modal.parse_criteria_modal_context(view["private_metadata"])
        answer = await self.remove_set(context, value)
        await self._update_view(context.team_id, view["id"], criteria_modal.result_page(place, answer))
        if place.from_home:
            await self._on_saved(context)

    async def remove_set(self, context: CommandContext, value: str) -> Message:
        """Remove the set that a button's value names, if it is unchanged since, and return the answer."""
        shown = criteria_modal.parse_set_state(value)
        try:
            return answer_for(await self._service.remove(context, shown.slug, seen=shown.fingerprint))
        except PermissionDenied as refusal:
            return helping.error_message(str(refusal))
        except StoreUnavailable:
            return store_unavailable()

    async def _update_view(self, team_id: str, view_id: str, view: View) -> None:
        try:
            await get_client(self._clients, team_id).update_view(view_id, view)
        except SlackFailure as failure:
            # Most likely it was closed; who is concerned is told in their channels.
            log.warning("modal_not_updated", reason=failure.reason)


async def _acknowledge(
    ack: AsyncAck,
    outcome: CriteriaResult | Message | CriteriaPreview,
    place: CriteriaModalContext,
    form: CriteriaSetForm,
) -> None:
    errors = _errors(outcome)
    if errors:
        shown = ("grades",) if place.edited is not None else ("name", "grades")
        await ack(response_action="errors", errors=criteria_modal.errors_at_inputs(errors, shown))
    else:
        await ack(response_action="update", view=_page(outcome, place, form))


def _errors(outcome: CriteriaResult | Message | CriteriaPreview) -> Mapping[str, str]:
    """Return the sentences about inputs by their name; empty if the outcome isn't about one."""
    match outcome:
        case CriteriaPreview(errors=errors):
            return errors
        case InvalidGrades(sentence):
            return {"grades": sentence}
        case InvalidName(sentence):
            return {"name": sentence}
        case NameTaken(taken, slug):
            what = "is built in" if taken is not None and taken.is_built_in else "is a set already"
            return {"name": f'"{slug}" {what}: choose another name.'}
    return {}


def _page(
    outcome: CriteriaResult | Message | CriteriaPreview,
    place: CriteriaModalContext,
    form: CriteriaSetForm,
) -> View:
    """Return the view that shows an outcome: the form again where something is to be done in it."""
    errors = _errors(outcome)
    if errors:
        return criteria_modal.view(place, form, CriteriaPreview(errors=errors))
    match outcome:
        case Doubtful(entered, sentences):
            warned = replace(place, warned_about=entered.fingerprint)
            return criteria_modal.view(warned, form, CriteriaPreview(set_=entered, objections=sentences))
        case SetOutOfDate(current):
            again = replace(place, edited=criteria_modal.state_of(current))
            return criteria_modal.view(again, form, CriteriaPreview(changed_meanwhile=current))
        case InUse() | TooManySets():
            # What they typed is kept: other grades may do, or the same after they changed something else.
            return criteria_modal.view(place, form, CriteriaPreview(refusal=answer_for(outcome)))
        case NoSuchSet() if place.edited is not None:
            # Somebody removed it meanwhile: what they typed may become a new set of that name.
            new = replace(form, name=place.edited.slug)
            preview = CriteriaPreview(refusal=answer_for(outcome))
            return criteria_modal.view(replace(place, edited=None), new, preview)
        case Message():
            return criteria_modal.result_page(place, outcome)
        case CriteriaPreview():
            return criteria_modal.view(place, form, outcome)
    return criteria_modal.result_page(place, answer_for(outcome))
