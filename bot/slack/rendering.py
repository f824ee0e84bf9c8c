"""From an intent of the ledger to words, by the newest state of what it is about."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from bot.store.ledger import Delivery, Kind
from bot.store.store import Store
from bot.store.subscriptions import Subscriptions
from formatters import apology, card, subscription, update
from formatters.card import ChannelView
from formatters.message import Message
from formatters.superevent import Superevent

CACHED = 256
"""Messages kept; one alert needs one a view, however many channels it goes to."""

log = structlog.get_logger(__name__)

Words = tuple[Message, int | None]


class Renderer:
    """Renders deliveries; the same words for many channels are made once."""

    def __init__(self, store: Store, subscriptions: Subscriptions) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._cache: OrderedDict[tuple[object, ...], asyncio.Task[Words | None]] = OrderedDict()

    async def __call__(self, delivery: Delivery) -> Words | None:
        """The message and the revision it shows; None if there is nothing to say any more.

        Raises StoreUnavailable.
        """
        match delivery.kind:
            case Kind.ROOT | Kind.EDIT:
                # Who never saw the event needn't hear that it is none; who may have seen it must.
                unseen = delivery.kind is Kind.ROOT and not delivery.doubtful
                key: tuple[object, ...] = ("root", delivery.superevent_id, delivery.revision, unseen)
                return await self._once(key, self._root(delivery, unseen))
            case Kind.REPLY:
                key = ("reply", delivery.subject_id, delivery.revision)
                return await self._once(key, self._reply(delivery))
            case Kind.CONFIRMATION:
                asked = await self._subscriptions.get(delivery.subject_id)
                return None if asked is None else (subscription.confirmed(asked), None)
            case Kind.APOLOGY | Kind.OPS:
                return await self._once((delivery.kind, delivery.subject_id), self._apology(delivery))

    async def _once(
        self, key: tuple[object, ...], work: Callable[[], Awaitable[Words | None]]
    ) -> Words | None:
        task = self._cache.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.ensure_future(work())
            self._cache[key] = task
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        # Shielded: one caller that is stopped mustn't take the words from the others.
        return await asyncio.shield(task)

    def _root(self, delivery: Delivery, unseen: bool) -> Callable[[], Awaitable[Words | None]]:
        async def render() -> Words | None:
            assert delivery.superevent_id is not None
            found = await self._store.superevent_at(delivery.superevent_id)
            if found is None:
                return None
            superevent, revision = found
            if unseen and superevent.retracted:
                return None
            return _guarded(superevent, lambda: card.root(superevent, ChannelView())), revision

        return render

    def _reply(self, delivery: Delivery) -> Callable[[], Awaitable[Words | None]]:
        async def render() -> Words | None:
            assert delivery.superevent_id is not None
            found = await self._store.superevent(delivery.superevent_id)
            key = await self._store.notice_key(delivery.subject_id)
            notice = None if found is None else next((n for n in found.notices if n.key == key), None)
            if found is None or notice is None:
                return None
            superevent, said = found, notice
            return _guarded(superevent, lambda: update.reply(superevent, said)), None

        return render

    def _apology(self, delivery: Delivery) -> Callable[[], Awaitable[Words | None]]:
        async def render() -> Words | None:
            kept = await self._store.quarantined(delivery.subject_id)
            if kept is None:
                return None
            if delivery.kind is Kind.OPS:
                return apology.for_operators(kept.superevent_id, kept.reason, kept.origin), None
            assert kept.superevent_id is not None, "an apology is planned for known ids only"
            return apology.message(kept.superevent_id, kept.reason), None

        return render


def _guarded(superevent: Superevent, say: Callable[[], Message]) -> Message:
    try:
        return say()
    except Exception:
        # The guard of law 6 on the way out: an alert whose words break gwevent still reaches people.
        log.exception("words_broke_gwevent", superevent_id=superevent.superevent_id)
        return apology.message(
            superevent.superevent_id, "gwevent met a fault of its own.", superevent.latest.urls.get("gracedb")
        )
