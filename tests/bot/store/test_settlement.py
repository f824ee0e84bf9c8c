"""Every kind of delivery has its rule and its effects: a kind that is added must be decided about."""

import pytest

from bot.store import settlement
from bot.store.outbox.models import DELIVERY_KINDS, DeliveryKind, KindRule, kinds_where
from bot.store.settlement import EFFECTS


def test_every_kind_has_a_rule_and_effects() -> None:
    assert DELIVERY_KINDS.keys() == EFFECTS.keys() == set(DeliveryKind)


def test_every_effect_of_a_kind_is_applied_and_none_is_forgotten() -> None:
    delivered = frozenset().union(*(effects.delivered for effects in EFFECTS.values()))
    dead = frozenset().union(*(effects.dead for effects in EFFECTS.values()))
    assert delivered == set(settlement._ON_DELIVERED)
    assert dead == set(settlement._ON_DEAD)


@pytest.mark.parametrize("kind", kinds_where(lambda rule: rule.for_operators))
def test_operators_kinds_need_no_subscription_and_never_expire(kind: DeliveryKind) -> None:
    rule = DELIVERY_KINDS[kind]
    assert not rule.needs_subscription and not rule.expires


def test_what_is_measured_is_news() -> None:
    assert set(kinds_where(lambda rule: rule.measured)) <= set(kinds_where(lambda rule: rule.expires))


def test_kinds_are_listed_in_the_enums_order() -> None:
    assert kinds_where(lambda _: True) == tuple(DeliveryKind)
    assert KindRule() == DELIVERY_KINDS[DeliveryKind.WELCOME]
