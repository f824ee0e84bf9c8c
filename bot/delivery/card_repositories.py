"""The repositories of what a card shows beside its event."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store.channels.card_details import CardDetailRepository
from bot.store.channels.observations import ObservationRepository
from bot.store.channels.observers import ObserverRepository
from bot.store.channels.sites import SiteRepository
from bot.store.outbox.images import ImageRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRepositories:
    """The repositories of what cards alone show; `details` says first which of it a card has."""

    details: CardDetailRepository
    observers: ObserverRepository
    observations: ObservationRepository
    sites: SiteRepository
    images: ImageRepository
