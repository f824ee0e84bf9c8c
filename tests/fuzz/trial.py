"""One payload, through all that reads it and speaks of it."""

from __future__ import annotations

from bot.alerts.decode import UndecodablePayload, decode
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, alert_update
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text, notice_text

REFUSED, MAP_REFUSED, READ = "refused", "map refused", "read"
LONGEST_REASON = 200
"""Characters; a reason is one sentence."""


def try_payload(body: bytes) -> str:
    """What became of a payload. Raises whatever isn't a refusal with a reason."""
    try:
        notice = decode(body)
    except UndecodablePayload as problem:
        _check(problem.reason)
        return REFUSED
    assert Notice.from_json(notice.to_json()) == notice
    superevent = Superevent.from_notices([notice])
    messages: list[Message] = [
        alert_card.alert_card(superevent, ChannelView()),
        alert_update.alert_update(superevent, notice),
    ]
    for message in messages:
        assert message_text.render(message) and message_text.notification_text(message)
    assert notice_text.to_text(notice)
    problems = [notice.map_problem, notice.external.map_problem if notice.external else None]
    for reason in filter(None, problems):
        _check(reason)
    return MAP_REFUSED if any(problems) else READ


def _check(reason: str) -> None:
    assert 10 < len(reason) <= LONGEST_REASON, reason
    assert reason.endswith("."), reason
    assert "\n" not in reason, reason
