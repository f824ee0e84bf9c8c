"""Render what follows a superevent's root: replies about newer notices, and mentions beside the thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.criteria.decided_grades import DecidedGrades
from bot.delivery.channel_grades import ChannelGrades
from bot.delivery.event_states import CACHE_SIZE, EventStates, render_or_fallback
from bot.delivery.render_repositories import RenderRepositories
from bot.delivery.rendered_message import RenderedMessage
from bot.filters import mention_targets
from bot.routing.intents import MentionReason
from bot.runtime.single_flight import SingleFlight
from bot.skymap_service.overlap import probability_in_previous_region
from bot.store.outbox.models import Delivery
from formatters.blockkit.message import Message
from formatters.models import significance
from formatters.models.criteria_set import CriteriaSet, GradeOutcome
from formatters.models.notice import Category, Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update, mention
from formatters.posts.channel_view import ChannelView
from formatters.text import grade_lines

log = structlog.get_logger(__name__)
T = TypeVar("T")

GetPermalink = Callable[[str, str, str], Awaitable[str | None]]
"""(team id, channel id, ts) -> the address of that message; None if Slack doesn't return one."""


class ThreadRenderer:
    """Renders replies and mentions. A reply to many channels with the same criteria sets is rendered once."""

    def __init__(
        self,
        repositories: RenderRepositories,
        event_states: EventStates,
        grades: ChannelGrades,
        get_permalink: GetPermalink,
    ) -> None:
        self._notices = repositories.notices
        self._mentions = repositories.mentions
        self._event_people = repositories.event_people
        self._event_states = event_states
        self._grades = grades
        self._get_permalink = get_permalink
        self._replies: SingleFlight[
            tuple[int, int | None, bool, tuple[CriteriaSet, ...]], RenderedMessage | None
        ] = SingleFlight(CACHE_SIZE)

    async def render_reply(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the reply about a notice; None if that isn't stored any more. Raises StoreUnavailable."""
        sets = await self._grades.sets((delivery.team_id, delivery.channel_id))
        key = (delivery.subject_id, delivery.superevent_revision, delivery.root_uneditable, sets)
        return await self._replies.get(key, lambda: self._render_reply(delivery, sets))

    async def _render_reply(
        self, delivery: Delivery, sets: tuple[CriteriaSet, ...]
    ) -> RenderedMessage | None:
        assert delivery.superevent_id is not None
        superevent = await self._notices.superevent(delivery.superevent_id)
        key = await self._notices.notice_key(delivery.subject_id)
        notice = None if superevent is None else next((n for n in superevent.notices if n.key == key), None)
        if superevent is None or notice is None:
            return None
        if delivery.root_uneditable:
            # The root can't be brought up to date, so a reply shows the whole state to the channel.
            view = ChannelView(grades=await self._grades.judge(sets, superevent))
            message = render_or_fallback(superevent, lambda: alert_card.alert_card(superevent, view))
            return RenderedMessage(message=message, broadcast=True)
        overlap = await self._overlap_with_previous(superevent, notice)
        before, after = await self._judge_before_and_after(sets, superevent, notice)
        message = render_or_fallback(
            superevent,
            lambda: alert_update.alert_update(superevent, notice, overlap, before, after),
            lambda: alert_update.alert_update(superevent, notice, overlap),
        )
        has_risen = unless_it_fails(lambda: grade_lines.has_risen(before, after), False, superevent)
        is_grade_news = superevent.category is Category.REAL and has_risen
        broadcast = is_grade_news or significance.should_broadcast(superevent, notice)
        return RenderedMessage(message=message, broadcast=broadcast)

    async def _judge_before_and_after(
        self, sets: tuple[CriteriaSet, ...], superevent: Superevent, notice: Notice
    ) -> tuple[tuple[GradeOutcome, ...], tuple[GradeOutcome, ...]]:
        """Return the sets' grades before a notice, and with it.

        Before is the notice that the reply compares with, or the retraction after which the event is a
        candidate again. A late notice is compared with what was known when it came: an INITIAL may decide.
        """
        if not sets:
            return (), ()
        if significance.newer_known_notice(superevent, notice) is not None:
            known = [one for one in superevent.notices if _came_before(one, notice)]
            return await self._grades.judge(sets, Superevent.from_notices(known)), await self._grades.judge(
                sets, Superevent.from_notices([*known, notice])
            )
        previous = superevent.previous_notice(notice)
        if previous is None or not previous.is_retraction:
            previous = significance.comparison_notice(superevent, notice)
        before = () if previous is None else await self._grades.judge(sets, superevent.up_to(previous))
        return before, await self._grades.judge(sets, superevent.up_to(notice))

    async def _overlap_with_previous(self, superevent: Superevent, notice: Notice) -> float | None:
        """Return how much of this notice's probability lies in the previous map's region, from 0 to 1.

        Return None if either map is missing, or if both are the same.
        """
        previous = significance.comparison_notice(superevent, notice)
        if previous is None or previous.localization is None or notice.localization is None:
            return None
        if previous.localization == notice.localization:
            return None
        old = await self._notices.payload(previous.key)
        new = await self._notices.payload(notice.key)
        if old is None or new is None:
            return None
        return await asyncio.to_thread(probability_in_previous_region, old, new)

    async def render_mention(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the mention; None if newer notices overtook it, or if nobody is left to mention."""
        found = await self._event_states.latest(delivery)
        planned = await self._mentions.get(delivery.subject_id)
        if found is None or planned is None:
            return None
        superevent, _ = found
        notice = next((n for n in superevent.notices if n.key == planned.notice_key), None)
        is_retraction = planned.reason is MentionReason.RETRACTION
        if notice is None or superevent.is_retracted is not is_retraction:
            return None
        if is_retraction:
            rules = [criteria.notify for criteria in planned.criteria_list if criteria.notify is not None]
            still_due = {target for rule in rules for target in rule.all_targets}
        else:
            decided = DecidedGrades(superevent)
            still_due = {
                target
                for criteria in planned.criteria_list
                for target in mention_targets(criteria, superevent, decided)
            }
        targets = tuple(target for target in planned.targets if target in still_due)
        if not targets:
            return None
        assert delivery.root_ts is not None, "the outbox hands out mentions beside posted roots only"
        # What is known by now: who is woken waits for no sky map.
        sets = await self._grades.sets((delivery.team_id, delivery.channel_id))
        outcomes = self._grades.at_once(sets, superevent).outcomes
        grade = unless_it_fails(lambda: grade_lines.push_grade(outcomes), None, superevent)
        is_waiting, is_muted = await self._waits_and_is_muted(delivery)
        root = await self._get_permalink(delivery.team_id, delivery.channel_id, delivery.root_ts)

        def render() -> Message:
            if is_retraction:
                return mention.retraction_mention(superevent, targets, root)
            return mention.mention_message(
                superevent,
                notice,
                targets,
                root,
                grade,
                is_waiting=is_waiting,
                is_muted=is_muted,
            )

        return RenderedMessage(message=render_or_fallback(superevent, render))

    async def _waits_and_is_muted(self, delivery: Delivery) -> tuple[bool, bool]:
        """Return whether a thread waits for somebody to take its event, and whether that is muted there."""
        if delivery.thread_id is None:
            return False, False
        found = await self._event_people.for_threads([delivery.thread_id])
        people = found.get(delivery.thread_id)
        return (False, False) if people is None else (people.is_waiting, people.mute is not None)


def _came_before(one: Notice, notice: Notice) -> bool:
    """Return whether a notice was known when another came; one of an archive always was."""
    return one.received is None or (notice.received is not None and one.received < notice.received)


def unless_it_fails(get: Callable[[], T], otherwise: T, superevent: Superevent) -> T:
    """Return the result of `get`; after a defect, one that keeps neither the words nor a mention back."""
    try:
        return get()
    except Exception:
        log.exception("unexpected_error", subsystem="grading", superevent_id=superevent.superevent_id)
        return otherwise
