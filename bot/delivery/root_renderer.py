"""Render the root message of a thread: the card that always shows the newest state of its superevent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.criteria.decided_grades import DecidedGrades
from bot.delivery.batch_loader import BatchLoader
from bot.delivery.channel_grades import ChannelGrades, GradesAtOnce
from bot.delivery.event_states import CACHE_SIZE, EventStates, render_or_fallback
from bot.delivery.render_repositories import RenderRepositories
from bot.delivery.rendered_message import RenderedMessage
from bot.delivery.thread_people import InstrumentShares, ThreadPeople
from bot.filters import mention_targets
from bot.runtime.single_flight import SingleFlight
from bot.skymap_service.observability import ObservabilityService
from bot.store.channels.card_details import CardDetail
from bot.store.database import StoreUnavailable
from bot.store.outbox.images import IMAGE_PATH, StoredImage
from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.blockkit.message import Message
from formatters.models.notice import Notice, NoticeKey
from formatters.models.observing import ChannelSites, Observability
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView, ImageRef

log = structlog.get_logger(__name__)

OBSERVABILITY_MAX_AGE = timedelta(hours=24)
"""The age of a notice from which no line about a channel's sites is added: its first night is over."""


class RootRenderer:
    """Renders posts and edits of roots. Cards that are equal for many channels are rendered once."""

    def __init__(
        self,
        repositories: RenderRepositories,
        event_states: EventStates,
        observability: ObservabilityService,
        grades: ChannelGrades,
        is_quiet: Callable[[Delivery, Superevent], Awaitable[bool]],
        shares: InstrumentShares,
        public_url: str | None = None,
    ) -> None:
        """`is_quiet` says whether an event is quiet in a delivery's channel (`QuietEvents`).

        `public_url` is the address at which the bot serves images itself, without a slash at its end."""
        self._event_states = event_states
        self._observability_service = observability
        self._grades = grades
        self._is_quiet = is_quiet
        self._people = ThreadPeople(repositories, shares)
        self._public_url = public_url
        # A fan-out renders hundreds of roots at once; one query for each would cost more than the posts, and
        # one for each kind of detail as much as the posts.
        self._load_details = BatchLoader(repositories.cards.details.for_threads)
        self._load_observers = BatchLoader(repositories.cards.observers.for_threads)
        self._load_image = BatchLoader(repositories.cards.images.for_threads)
        self._load_mentions = BatchLoader(repositories.mentions.for_roots)
        self._load_sites = BatchLoader(repositories.cards.sites.for_channels)
        self._cards: SingleFlight[tuple[str, int, ChannelView], Message] = SingleFlight(CACHE_SIZE)
        self._observability: SingleFlight[tuple[NoticeKey, ChannelSites], Observability | None] = (
            SingleFlight(CACHE_SIZE)
        )

    async def render(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the root; None if there is nothing to post any more. Raises StoreUnavailable."""
        found = await self._event_states.latest(delivery)
        if found is None:
            return None
        superevent, notice_id = found
        was_seen = delivery.kind is DeliveryKind.EDIT or delivery.maybe_sent or delivery.was_posted
        if superevent.is_retracted and not was_seen:
            # A channel that never saw the event needn't learn of its retraction.
            return None
        assert delivery.thread_id is not None
        details = await self._load_details(delivery.thread_id) or frozenset()
        observability, is_missing = await self._get_observability(delivery, superevent, details)
        grades = await self._get_grades(delivery, superevent, details)
        is_missing |= grades.is_preliminary
        found_people = await self._people.of_thread(delivery, superevent, details)
        is_missing |= found_people.is_incomplete
        mentions = await self._mention_targets(delivery, superevent, details)
        observers: tuple[str, ...] = ()
        # Nobody can have pressed a button of a message that was never posted.
        if was_seen and CardDetail.OBSERVERS in details:
            observers = await self._load_observers(delivery.thread_id) or ()
        # Who is woken reads why on the locked screen.
        may_be_quiet = not mentions and CardDetail.QUIET_CRITERIA in details
        view = ChannelView(
            is_root=True,
            observers=observers,
            is_quiet=may_be_quiet and await self._is_quiet(delivery, superevent),
            # Also in the first post, whose mention asks somebody to take the event.
            people=found_people.people,
            mentions=mentions,
            observability=observability,
            grades=grades.outcomes,
        )
        card = await self._render_card(superevent, view)
        image = None
        if notice_id is not None and CardDetail.IMAGE in details:
            image = await self._load_image((delivery.team_id, notice_id, delivery.thread_id))
        if image is None:
            return RenderedMessage(message=card, needs_follow_up_edit=is_missing)
        return RenderedMessage(
            message=await self._render_card(superevent, replace(view, image=self._image_ref(image))),
            picture_id=image.id,
            picture_since=image.created_at,
            without_picture=card,
            needs_follow_up_edit=is_missing,
        )

    async def _get_observability(
        self, delivery: Delivery, superevent: Superevent, details: Collection[CardDetail]
    ) -> tuple[Observability | None, bool]:
        """Return the observability from the channel's sites, and whether an edit has to bring it.

        It takes a while to compute and a new root doesn't wait for it, so the first root of an event goes
        without.
        """
        if CardDetail.SITES not in details:
            return None, False
        channel = await self._load_sites((delivery.team_id, delivery.channel_id))
        notice = superevent.latest
        if (
            channel is None
            or not channel.sites
            or superevent.is_retracted
            or notice.best_localization is None
        ):
            return None, False
        # Counted from the notice, so that all channels with these sites share the result, and the next edit
        # too.
        since = notice.received or notice.time_created
        if delivery.created_at - since > OBSERVABILITY_MAX_AGE:
            return None, False
        key = (notice.key, channel)
        if delivery.kind is DeliveryKind.ROOT and not self._observability.is_cached(key):
            return None, True
        found = await self._observability.get(key, lambda: self._query_observability(notice, channel, since))
        return found, False

    async def _query_observability(
        self, notice: Notice, channel: ChannelSites, since: datetime
    ) -> Observability | None:
        try:
            return await self._observability_service.get(notice, channel.sites, channel.constraints, since)
        except StoreUnavailable:
            raise
        except Exception:
            # A line about telescopes must not keep the news from the channel.
            log.exception("unexpected_error", subsystem="observability", superevent_id=notice.superevent_id)
            return None

    async def _get_grades(
        self, delivery: Delivery, superevent: Superevent, details: Collection[CardDetail]
    ) -> GradesAtOnce:
        """Return the channel's grades: in a new root those that are certain without waiting."""
        if CardDetail.CRITERIA_SETS not in details:
            return GradesAtOnce()
        sets = await self._grades.sets((delivery.team_id, delivery.channel_id))
        if delivery.kind is DeliveryKind.ROOT:
            return self._grades.at_once(sets, superevent)
        return GradesAtOnce(await self._grades.judge(sets, superevent))

    def _image_ref(self, stored: StoredImage) -> ImageRef:
        if stored.token is not None and self._public_url is not None:
            url = self._public_url + IMAGE_PATH.format(token=stored.token)
            return ImageRef(alt_text=stored.alt_text, url=url)
        return ImageRef(alt_text=stored.alt_text, file_id=stored.file_id)

    async def _mention_targets(
        self, delivery: Delivery, superevent: Superevent, details: Collection[CardDetail]
    ) -> tuple[str, ...]:
        """Return the mentions of a root; edits have none, nor has a root that was posted before."""
        if delivery.kind is not DeliveryKind.ROOT or delivery.was_posted or delivery.thread_id is None:
            return ()
        if CardDetail.MENTIONS not in details:
            return ()
        targets, criteria_list = await self._load_mentions(delivery.thread_id) or ((), ())
        decided = DecidedGrades(superevent)
        still_due = {
            target for criteria in criteria_list for target in mention_targets(criteria, superevent, decided)
        }
        return tuple(target for target in targets if target in still_due)

    async def _render_card(self, superevent: Superevent, view: ChannelView) -> Message:
        async def render() -> Message:
            views = (view, replace(view, grades=())) if view.grades else (view,)
            return render_or_fallback(
                superevent, *(partial(alert_card.alert_card, superevent, one) for one in views)
            )

        # By the number of its notices: the superevent may be newer than the revision that was claimed.
        return await self._cards.get((superevent.superevent_id, len(superevent.notices), view), render)
