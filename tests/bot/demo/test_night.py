"""What people do in the demo's story fits the notices that it follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.demo.night import NOTIFY, create_demo_acts
from bot.filters import parse_criteria
from bot.samples import create_demo_notices

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_night_follows_the_notices_and_ends_before_now() -> None:
    notices = create_demo_notices(NOW)
    acts = create_demo_acts(notices)
    (name,) = {act.superevent_id for act in acts}
    sent = [
        datetime.fromisoformat(str(notice.record["time_created"]))
        for notice in notices
        if notice.record["superevent_id"] == name
    ]
    times = [act.sent for act in acts]
    assert times == sorted(times) and min(sent) < times[0] and times[-1] < NOW


def test_time_passes_for_each_step_before_anybody_has_it() -> None:
    rule = parse_criteria(f"CBC {NOTIFY.replace('@colleague', '<@U2>').replace('@observer', '<@U1>')}").notify
    assert rule is not None
    acts = create_demo_acts(create_demo_notices(NOW))
    waits = [act for act in acts if act.user is None]
    assert len(waits) == len(rule.escalation) and acts[: len(waits)] == waits
    first = waits[0].sent - rule.escalation[0].after
    for wait, step in zip(waits, rule.escalation, strict=True):
        assert timedelta(0) <= wait.sent - first - step.after < timedelta(seconds=30)
