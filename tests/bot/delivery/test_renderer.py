"""Rendering: every kind of delivery has a method of its own."""

from __future__ import annotations

from bot.delivery.renderer import RENDERERS
from bot.store.outbox.models import DeliveryKind


def test_every_kind_of_delivery_can_be_rendered() -> None:
    assert set(RENDERERS) == set(DeliveryKind)
