"""Which call a fault hits."""

from bot.sandbox.faults import Fault, Faults


def test_a_fault_counts_down_and_goes() -> None:
    faults = Faults()
    faults.add(Fault("chat.postMessage", status=500, times=2))
    hits = [faults.take("chat.postMessage", "C") for _ in range(3)]
    assert [hit is not None for hit in hits] == [True, True, False]


def test_a_fault_is_for_its_method_and_channel() -> None:
    faults = Faults()
    faults.add(Fault("chat.postMessage", error="is_archived", channel="C1", times=None))
    assert faults.take("chat.update", "C1") is None
    assert faults.take("chat.postMessage", "C2") is None
    assert faults.take("chat.postMessage", None) is None
    assert all(faults.take("chat.postMessage", "C1") for _ in range(10))
    faults.clear()
    assert faults.take("chat.postMessage", "C1") is None


def test_those_arranged_first_come_first() -> None:
    faults = Faults()
    faults.add(Fault("*", status=500))
    faults.add(Fault("auth.test", status=429))
    statuses = [hit.status for hit in (faults.take("auth.test", None), faults.take("auth.test", None)) if hit]
    assert statuses == [500, 429]
