"""From an intent of the ledger to words, by the newest state of what it is about."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import structlog

from bot.delivery.batch_loader import BatchLoader
from bot.delivery.rendered_message import RenderedMessage
from bot.filters import mention_targets
from bot.observing.observability import LOOKAHEAD
from bot.routing.intents import MentionReason
from bot.skymap_service.observability import ObservabilityService
from bot.skymap_service.overlap import probability_in_previous_region
from bot.store.channels.mentions import MentionRepository
from bot.store.channels.observers import ObserverRepository
from bot.store.channels.refused_mentions import RefusedMentionRepository
from bot.store.channels.sites import SiteRepository
from bot.store.channels.subscriptions import SubscriptionRepository
from bot.store.database import StoreUnavailable
from bot.store.events.circulars import CircularRepository
from bot.store.events.notices import NoticeRepository
from bot.store.events.quarantine import QuarantineRepository
from bot.store.operations.incidents import IncidentRepository
from bot.store.outbox.images import IMAGE_PATH, ImageRepository, StoredImage
from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.answers import subscription_messages
from formatters.blockkit.message import Message
from formatters.models import significance
from formatters.models.notice import Notice
from formatters.models.observing import ChannelSites, Observability
from formatters.models.superevent import Superevent
from formatters.posts import (
    alert_card,
    alert_update,
    circular_link,
    incident,
    mention,
    subscription_change,
    unreadable_notice,
    welcome,
)
from formatters.posts.alert_card import ChannelView, ImageRef

CACHE_SIZE = 256
"""Results kept; one alert needs one a view, however many channels it goes to."""

log = structlog.get_logger(__name__)

Load = Callable[[], Awaitable[object]]
GetPermalink = Callable[[str, str, str], Awaitable[str | None]]
"""(team, channel, ts) -> the message's address, None where it isn't known."""


class Renderer:
    """Renders deliveries; what is the same for many channels is made once."""

    def __init__(
        self,
        notices: NoticeRepository,
        subscriptions: SubscriptionRepository,
        observers: ObserverRepository,
        images: ImageRepository,
        mentions: MentionRepository,
        circulars: CircularRepository,
        sites: SiteRepository,
        observability: ObservabilityService,
        get_permalink: GetPermalink,
        public_url: str | None = None,
        *,
        incidents: IncidentRepository | None = None,
        refused_mentions: RefusedMentionRepository | None = None,
        quarantine: QuarantineRepository | None = None,
    ) -> None:
        """`public_url` is where the bot serves pictures itself, without a slash at its end."""
        self._incidents = incidents
        self._refused_mentions = refused_mentions
        self._quarantine = quarantine
        self._notices = notices
        self._subscriptions = subscriptions
        # A fan-out asks for hundreds of threads at once; one read each costs more than the posts.
        self._load_observers = BatchLoader(observers.for_threads)
        self._public_url = public_url
        self._load_image = BatchLoader(images.for_threads)
        self._load_root_mentions = BatchLoader(mentions.for_roots)
        self._get_planned_mention = mentions.get
        self._circulars = circulars
        self._load_sites = BatchLoader(sites.for_channels)
        self._observability_service = observability
        self._get_permalink = get_permalink
        self._cache: OrderedDict[tuple[object, ...], asyncio.Task[object]] = OrderedDict()

    async def __call__(self, delivery: Delivery) -> RenderedMessage | None:
        """The words; None if there is nothing to say any more. Raises StoreUnavailable."""
        match delivery.kind:
            case DeliveryKind.ROOT | DeliveryKind.EDIT:
                return await self._render_root(delivery)
            case DeliveryKind.REPLY:
                return await self._render_reply(delivery)
            case DeliveryKind.MENTION:
                return await self._render_mention(delivery)
            case DeliveryKind.CONFIRMATION:
                asked = await self._subscriptions.get(delivery.subject_id)
                return (
                    None
                    if asked is None
                    else RenderedMessage(message=subscription_messages.confirmation(asked))
                )
            case DeliveryKind.CHANGE:
                told = await self._subscriptions.changes_to_announce(delivery.id)
                return (
                    None
                    if told is None
                    else RenderedMessage(message=subscription_change.subscription_change(*told))
                )
            case DeliveryKind.WELCOME:
                return RenderedMessage(message=welcome.message())
            case DeliveryKind.CIRCULAR:
                return await self._render_circular(delivery)
            case DeliveryKind.UNREADABLE_NOTICE | DeliveryKind.QUARANTINE_REPORT:
                return await self._render_unreadable_notice(delivery)
            case DeliveryKind.INCIDENT_OPENED | DeliveryKind.INCIDENT_RESOLVED:
                return await self._render_incident(delivery)
            case DeliveryKind.MENTION_REFUSED:
                return await self._render_mention_refused(delivery)
            case DeliveryKind.FIRST_REAL_EVENT:
                return await self._render_first_real_event(delivery)

    async def _render_root(self, delivery: Delivery) -> RenderedMessage | None:
        found = await self._latest_state(delivery)
        if found is None:
            return None
        superevent, notice_id = found
        seen = delivery.kind is DeliveryKind.EDIT or delivery.maybe_sent or delivery.was_posted
        if superevent.is_retracted and not seen:
            # Who never saw the event needn't hear that it is none.
            return None
        assert delivery.thread_id is not None
        view = ChannelView(
            is_root=True,
            # Nobody can have pressed a button that nobody has seen.
            observers=(await self._load_observers(delivery.thread_id) or ()) if seen else (),
            mentions=await self._root_mention_targets(delivery, superevent),
        )
        tonight, unfinished = await self._get_observability(delivery, superevent)
        view = replace(view, observability=tonight)
        plain_card = await self._render_card(delivery, superevent, view)
        stored = None
        if notice_id is not None:
            stored = await self._load_image((delivery.team_id, notice_id, delivery.thread_id))
        if stored is None:
            return RenderedMessage(message=plain_card, needs_follow_up_edit=unfinished)
        shown = replace(view, image=self._image_ref(stored))
        return RenderedMessage(
            message=await self._render_card(delivery, superevent, shown),
            picture_id=stored.id,
            picture_since=stored.created_at,
            without_picture=plain_card,
            needs_follow_up_edit=unfinished,
        )

    async def _get_observability(
        self, delivery: Delivery, superevent: Superevent
    ) -> tuple[Observability | None, bool]:
        """What the channel's sites can observe, and whether it could be said, but not at once (law 5)."""
        channel = await self._load_sites((delivery.team_id, delivery.channel_id))
        notice = superevent.latest
        if (
            channel is None
            or not channel.sites
            or superevent.is_retracted
            or notice.best_localization is None
        ):
            return None, False
        # Equal for all channels with these sites, and the same at the next edit.
        since = notice.received or notice.time_created
        if delivery.created_at - since > LOOKAHEAD:
            return None, False
        key = ("tonight", notice.key, channel)
        if delivery.kind is DeliveryKind.ROOT and not self._is_cached(key):
            return None, True

        async def look() -> Observability | None:
            return await self._query_observability(notice, channel, since)

        found = await self._cached(key, look)
        assert found is None or isinstance(found, Observability)
        return found, False

    async def _query_observability(
        self, notice: Notice, channel: ChannelSites, since: datetime
    ) -> Observability | None:
        try:
            return await self._observability_service.get(
                notice.key, channel.sites, channel.constraints, since
            )
        except StoreUnavailable:
            raise
        except Exception:
            # The guard of law 6: a line about telescopes mustn't keep the news from the channel.
            log.exception("visibility_broke_gwevent", superevent_id=notice.superevent_id)
            return None

    def _image_ref(self, stored: StoredImage) -> ImageRef:
        if stored.token is not None and self._public_url is not None:
            url = self._public_url + IMAGE_PATH.format(token=stored.token)
            return ImageRef(alt_text=stored.alt_text, url=url)
        return ImageRef(alt_text=stored.alt_text, file_id=stored.file_id)

    async def _root_mention_targets(self, delivery: Delivery, superevent: Superevent) -> tuple[str, ...]:
        """Whom the root's post mentions; an edit nobody, and a root that stood before neither."""
        if delivery.kind is not DeliveryKind.ROOT or delivery.was_posted or delivery.thread_id is None:
            return ()
        targets, criteria_list = await self._load_root_mentions(delivery.thread_id) or ((), ())
        now = {target for criteria in criteria_list for target in mention_targets(criteria, superevent)}
        return tuple(target for target in targets if target in now)

    async def _render_mention(self, delivery: Delivery) -> RenderedMessage | None:
        found = await self._latest_state(delivery)
        planned = await self._get_planned_mention(delivery.subject_id)
        if found is None or planned is None:
            return None
        superevent, _ = found
        notice = next((n for n in superevent.notices if n.key == planned.notice_key), None)
        down = planned.reason is MentionReason.RETRACTION
        # What was overtaken meanwhile wakes nobody.
        if notice is None or superevent.is_retracted is not down:
            return None
        if down:
            now = {
                t
                for criteria in planned.criteria_list
                if criteria.notify is not None
                for t in criteria.notify.targets
            }
        else:
            now = {
                target
                for criteria in planned.criteria_list
                for target in mention_targets(criteria, superevent)
            }
        targets = tuple(target for target in planned.targets if target in now)
        if not targets:
            return None
        assert delivery.root_ts is not None, "the ledger hands out mentions beside posted roots only"
        root = await self._get_permalink(delivery.team_id, delivery.channel_id, delivery.root_ts)

        def say() -> Message:
            if down:
                return mention.retraction_mention(superevent, targets, root)
            return mention.mention_message(superevent, notice, targets, root)

        return RenderedMessage(message=_render_or_fallback(superevent, say))

    async def _latest_state(self, delivery: Delivery) -> tuple[Superevent, int | None] | None:
        """The superevent as it is now, and the notice whose map a picture would show (none: retracted)."""

        async def load() -> tuple[Superevent, int | None] | None:
            assert delivery.superevent_id is not None
            superevent = await self._notices.superevent(delivery.superevent_id)
            if superevent is None:
                return None
            notice = None if superevent.is_retracted else superevent.latest_with_event
            if notice is None or notice.best_localization is None:
                return superevent, None
            return superevent, await self._notices.notice_id(notice.key)

        key = ("superevent", delivery.superevent_id, delivery.superevent_revision)
        found = await self._cached(key, load)
        assert found is None or isinstance(found, tuple)
        return found

    async def _render_card(self, delivery: Delivery, superevent: Superevent, view: ChannelView) -> Message:
        async def render() -> Message:
            return _render_or_fallback(superevent, lambda: alert_card.alert_card(superevent, view))

        # Of the superevent at hand, which may be newer than what the row was claimed for.
        message = await self._cached(
            ("card", superevent.superevent_id, len(superevent.notices), view), render
        )
        assert isinstance(message, Message)
        return message

    async def _render_reply(self, delivery: Delivery) -> RenderedMessage | None:
        async def render() -> RenderedMessage | None:
            assert delivery.superevent_id is not None
            found = await self._notices.superevent(delivery.superevent_id)
            key = await self._notices.notice_key(delivery.subject_id)
            notice = None if found is None else next((n for n in found.notices if n.key == key), None)
            if found is None or notice is None:
                return None
            superevent, said = found, notice
            if delivery.root_uneditable:
                # The root can't be brought up to date, so the whole state goes to the channel here.
                message = _render_or_fallback(
                    superevent, lambda: alert_card.alert_card(superevent, ChannelView())
                )
                return RenderedMessage(message=message, broadcast=True)
            kept = await self._overlap_with_previous(superevent, said)
            message = _render_or_fallback(
                superevent, lambda: alert_update.alert_update(superevent, said, kept)
            )
            return RenderedMessage(message=message, broadcast=significance.should_broadcast(superevent, said))

        key = ("reply", delivery.subject_id, delivery.superevent_revision, delivery.root_uneditable)
        words = await self._cached(key, render)
        assert words is None or isinstance(words, RenderedMessage)
        return words

    async def _overlap_with_previous(self, superevent: Superevent, notice: Notice) -> float | None:
        """How much of this notice's map lies where the map before it said; None where one is missing."""
        before = significance.comparison_notice(superevent, notice)
        if before is None or before.localization is None or notice.localization is None:
            return None
        if before.localization == notice.localization:
            return None
        old = await self._notices.payload(before.key)
        new = await self._notices.payload(notice.key)
        if old is None or new is None:
            return None
        return await asyncio.to_thread(probability_in_previous_region, old, new)

    async def _render_circular(self, delivery: Delivery) -> RenderedMessage | None:
        found = await self._circulars.get(delivery.subject_id)
        return None if found is None else RenderedMessage(message=circular_link.message(found))

    async def _render_unreadable_notice(self, delivery: Delivery) -> RenderedMessage | None:
        async def render() -> RenderedMessage | None:
            kept = None if self._quarantine is None else await self._quarantine.get(delivery.subject_id)
            if kept is None:
                return None
            if delivery.kind is DeliveryKind.QUARANTINE_REPORT:
                return RenderedMessage(
                    message=unreadable_notice.quarantine_report(kept.superevent_id, kept.reason, kept.origin)
                )
            assert kept.superevent_id is not None, "an apology is planned for known ids only"
            return RenderedMessage(message=unreadable_notice.message(kept.superevent_id, kept.reason))

        words = await self._cached((delivery.kind, delivery.subject_id), render)
        assert words is None or isinstance(words, RenderedMessage)
        return words

    def _is_cached(self, key: tuple[object, ...]) -> bool:
        task = self._cache.get(key)
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    async def _render_incident(self, delivery: Delivery) -> RenderedMessage | None:
        # Never from the cache: it may be over meanwhile.
        found = None if self._incidents is None else await self._incidents.get(delivery.subject_id)
        if found is None:
            return None
        return RenderedMessage(
            message=incident.resolved(found)
            if delivery.kind is DeliveryKind.INCIDENT_RESOLVED
            else incident.opened(found)
        )

    async def _render_mention_refused(self, delivery: Delivery) -> RenderedMessage | None:
        refusals = self._refused_mentions
        refused = [] if refusals is None else await refusals.for_refusal(delivery.subject_id)
        return RenderedMessage(message=subscription_messages.mention_refused(refused)) if refused else None

    async def _render_first_real_event(self, delivery: Delivery) -> RenderedMessage | None:
        key = await self._notices.notice_key(delivery.subject_id)
        if key is None:
            return None
        superevent_id, alert_type, *_ = key
        before = await self._notices.previous_real_event_time(superevent_id)
        return RenderedMessage(message=incident.first_real_event(superevent_id, alert_type, before))

    async def _cached(self, key: tuple[object, ...], load: Load) -> object:
        task = self._cache.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.ensure_future(load())
            self._cache[key] = task
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        # Shielded: one caller that is stopped mustn't take the result from the others.
        return await asyncio.shield(task)


def _render_or_fallback(superevent: Superevent, render: Callable[[], Message]) -> Message:
    try:
        return render()
    except Exception:
        # The guard of law 6 on the way out: an alert whose words break gwevent still reaches people.
        log.exception("words_broke_gwevent", superevent_id=superevent.superevent_id)
        return unreadable_notice.message(
            superevent.superevent_id, "gwevent met a fault of its own.", superevent.latest.urls.get("gracedb")
        )
