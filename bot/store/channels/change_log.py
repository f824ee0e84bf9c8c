"""The log of changes to what a channel receives: who changed what; each change is posted in the channel.

Every write to subscriptions, sites, observing conditions or a criteria set in use is recorded here in the
same transaction (`record_changes`), with a delivery that posts it. A delivery that was not sent yet takes up
further changes, and a channel gets at most one such post per `MIN_POST_INTERVAL`, so that pressing a button
again and again does not flood it. A post is rendered when it is sent, so the last one shows the final state.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import FilterSyntaxError, parse_stored_criteria
from bot.routing.delivery_times import MIN_POST_INTERVAL
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.telescope_rows import telescope_from_json, telescope_to_json
from bot.store.outbox.models import DeliveryKind, DeliveryState, delivery_row
from formatters.models import channel_change
from formatters.models.channel_change import ChannelChange, CriteriaSetState, SubscriptionState
from formatters.models.criteria_set import CriteriaSet
from formatters.models.observing import ChannelSites, ObservingConstraints, Site
from formatters.models.subscription import Subscription

_BATCH = 500
"""Channels that one statement is about; databases bound the number of parameters."""

_c = schema.channel_changes
_d = schema.deliveries


@dataclass(frozen=True, slots=True)
class ChangeAuthor:
    """The person who makes a change, and the time."""

    user_id: str
    """Slack's user id, or a `BY_…` of `formatters.models.channel_change`."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord:
    """A change to be recorded: of a subscription; of a criteria set, or of the sites, if it has no id."""

    subscription_id: int | None = None
    number: int | None = None
    before: channel_change.RecordedState | None
    after: channel_change.RecordedState | None


def subscription_state(subscription: Subscription) -> SubscriptionState:
    """Return the state of a subscription as the log keeps it."""
    criteria = subscription.criteria
    return SubscriptionState(
        canonical=criteria.canonical, is_paused=subscription.paused_at is not None, criteria=criteria
    )


def subscription_change(before: Subscription | None, after: Subscription | None) -> ChangeRecord:
    """Return the change of one subscription; `before` is None if it is new, `after` if it has ended."""
    one = before or after
    assert one is not None
    return ChangeRecord(
        subscription_id=one.id,
        number=one.number,
        before=None if before is None else subscription_state(before),
        after=None if after is None else subscription_state(after),
    )


def criteria_set_state(set_: CriteriaSet) -> CriteriaSetState:
    """Return the state of a workspace's criteria set as the log keeps it."""
    grades = tuple((one.name, one.filter.canonical) for one in set_.grades if one.filter is not None)
    return CriteriaSetState(slug=set_.slug, grades=grades)


async def record_changes(
    connection: AsyncConnection,
    channel: ChannelRef,
    by: ChangeAuthor,
    changes: Sequence[ChangeRecord],
    *,
    announce: bool = True,
    announced_by: int | None = None,
) -> None:
    """Record changes of one channel, and plan the post about them.

    `announced_by` is a delivery that posts them already; with `announce` False there is no post, for a
    channel that no bot serves yet.
    """
    if not changes:
        return
    rows = [_change_row(channel, by, one) | {"delivery_id": announced_by} for one in changes]
    in_order = insert(_c).returning(_c.c.id, sort_by_parameter_order=True)
    ids = (await connection.execute(in_order, rows)).scalars().all()
    if announce and announced_by is None:
        found = await _enqueue_announcements(connection, channel[0], {channel[1]: ids[0]}, by.at)
        await connection.execute(update(_c).where(_c.c.id.in_(ids)).values(delivery_id=found[channel[1]]))


async def record_change_in_channels(
    connection: AsyncConnection,
    team_id: str,
    channel_ids: Collection[str],
    by: ChangeAuthor,
    change: ChangeRecord,
) -> None:
    """Record one change in several channels of a workspace, and plan the post in each.

    The number of statements hardly depends on that of channels, since a notice waits meanwhile.
    """
    every = sorted(channel_ids)
    for start in range(0, len(every), _BATCH):
        some = every[start : start + _BATCH]
        rows = [_change_row((team_id, channel_id), by, change) for channel_id in some]
        result = await connection.execute(insert(_c).returning(_c.c.channel_id, _c.c.id), rows)
        ids = {row.channel_id: row.id for row in result}
        found = await _enqueue_announcements(connection, team_id, ids, by.at)
        await _assign_deliveries(connection, {ids[channel_id]: found[channel_id] for channel_id in some})


def _change_row(channel: ChannelRef, by: ChangeAuthor, change: ChangeRecord) -> dict[str, object]:
    return {
        "team_id": channel[0],
        "channel_id": channel[1],
        "subscription_id": change.subscription_id,
        "number": change.number,
        "state_before": _to_json(change.before),
        "state_after": _to_json(change.after),
        "changed_by": by.user_id,
        "changed_at": by.at,
    }


async def _enqueue_announcements(
    connection: AsyncConnection, team_id: str, changes: Mapping[str, int], now: datetime
) -> dict[str, int]:
    """Return the deliveries that post changes: pending ones that were never tried, or new ones.

    `changes` gives a change by channel; so does what is returned give a delivery.
    """
    about = (_d.c.team_id == team_id) & (_d.c.kind == DeliveryKind.CHANGE.value)
    here = about & _d.c.channel_id.in_(changes)
    unseen = here & (_d.c.state == DeliveryState.PENDING.value) & _d.c.doubtful.is_(False)
    waiting = select(_d.c.channel_id, func.min(_d.c.id)).where(unseen).group_by(_d.c.channel_id)
    found = {channel_id: int(first) for channel_id, first in await connection.execute(waiting)}
    others = [channel_id for channel_id in changes if channel_id not in found]
    if not others:
        return found
    last = func.max(_d.c.created_at, type_=schema.UtcDateTime()).label("newest")
    posted = select(_d.c.channel_id, last).where(here).group_by(_d.c.channel_id)
    newest = {row.channel_id: row.newest for row in (await connection.execute(posted)).all()}
    rows = []
    for channel_id in others:
        before = newest.get(channel_id)
        due = now if before is None else min(max(now, before + MIN_POST_INTERVAL), now + MIN_POST_INTERVAL)
        change_id = changes[channel_id]
        rows.append(delivery_row(team_id, channel_id, DeliveryKind.CHANGE, change_id, now, not_before=due))
    result = await connection.execute(insert(_d).returning(_d.c.channel_id, _d.c.id), rows)
    found |= {channel_id: int(delivery_id) for channel_id, delivery_id in result}
    # Changes whose post was given up are posted now.
    given_up = about & _d.c.channel_id.in_(others) & (_d.c.state == DeliveryState.DEAD.value)
    unposted = select(_c.c.channel_id, _c.c.id).join(_d, _d.c.id == _c.c.delivery_id).where(given_up)
    left = (await connection.execute(unposted)).all()
    await _assign_deliveries(connection, {change_id: found[channel_id] for channel_id, change_id in left})
    return found


async def _assign_deliveries(connection: AsyncConnection, deliveries: Mapping[int, int]) -> None:
    """Set the deliveries that post these changes."""
    if deliveries:
        is_change = _c.c.id == bindparam("change")
        await connection.execute(
            update(_c).where(is_change).values(delivery_id=bindparam("delivery")),
            [{"change": change, "delivery": delivery} for change, delivery in deliveries.items()],
        )


async def load_delivery_changes(
    connection: AsyncConnection, delivery_id: int
) -> tuple[ChannelRef, list[ChannelChange]] | None:
    """Return the channel and the changes that a delivery posts, with later ones of the same things.

    Return None if another delivery has taken them over.
    """
    own = (
        await connection.execute(select(_c).where(_c.c.delivery_id == delivery_id).order_by(_c.c.id))
    ).all()
    if not own:
        return None
    channel = (own[0].team_id, own[0].channel_id)
    query = select(_c).where(in_channel(_c, channel), _c.c.id >= own[0].id).order_by(_c.c.id)
    first: dict[int | str | None, int] = {}
    for row in own:
        first.setdefault(_subject(row), row.id)
    changes = []
    for row in (await connection.execute(query)).all():
        since = first.get(_subject(row))
        if since is not None and row.id >= since:
            changes.append(change_from_row(row))
    return channel, changes


def _subject(row: Any) -> int | str | None:
    """Return the subject of a change: a subscription's id, a criteria set's name, or None for the sites."""
    if row.subscription_id is not None:
        return int(row.subscription_id)
    name = json.loads(row.state_after or row.state_before).get("criteria_set")
    return None if name is None else str(name)


async def load_change_page(
    connection: AsyncConnection, channel: ChannelRef, page: int
) -> tuple[list[ChannelChange], int]:
    """Return one page of a channel's changes, the newest first, and the number of all its changes."""
    total = (
        await connection.execute(select(func.count()).select_from(_c).where(in_channel(_c, channel)))
    ).scalar_one()
    query = select(_c).where(in_channel(_c, channel)).order_by(_c.c.id.desc())
    rows = await connection.execute(
        query.limit(channel_change.PAGE_SIZE).offset((page - 1) * channel_change.PAGE_SIZE)
    )
    return [change_from_row(row) for row in rows.all()], total


async def last_canonical_of_number(
    connection: AsyncConnection, channel: ChannelRef, number: int
) -> str | None:
    """Return the canonical words of the ended subscription that had this number last; None if unknown."""
    query = select(_c).where(in_channel(_c, channel), _c.c.number == number).order_by(_c.c.id.desc()).limit(1)
    row = (await connection.execute(query)).first()
    if row is None or row.state_after is not None:
        return None
    before = _from_json(row.state_before)
    return before.canonical if isinstance(before, SubscriptionState) else None


def change_from_row(row: Any) -> ChannelChange:
    """Return the change of a row of the log."""
    return ChannelChange(
        number=row.number,
        before=_from_json(row.state_before),
        after=_from_json(row.state_after),
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )


def _to_json(state: channel_change.RecordedState | None) -> str | None:
    match state:
        case None:
            return None
        case SubscriptionState():
            values: dict[str, object] = {"words": state.canonical, "paused": state.is_paused}
        case ChannelSites():
            values = {"sites": [asdict(site) for site in state.sites], **asdict(state.constraints)}
            # Beside the sites, where an older gwevent reads past them.
            if state.telescopes:
                values["telescopes"] = [telescope_to_json(one) for one in state.telescopes]
        case CriteriaSetState():
            # An older gwevent reads every change that has no sites as a subscription's.
            values = {"words": state.canonical, "paused": False}
            values |= {"criteria_set": state.slug, "grades": state.grades}
    return json.dumps(values, ensure_ascii=False)


def _from_json(text: str | None) -> channel_change.RecordedState | None:
    if text is None:
        return None
    values = json.loads(text)
    if "criteria_set" in values:
        pairs = tuple((str(name), str(filter_text)) for name, filter_text in values["grades"])
        return CriteriaSetState(slug=values["criteria_set"], grades=pairs)
    if "words" not in values:
        conditions = ObservingConstraints(altitude=values["altitude"], darkness=values["darkness"])
        # Another version of gwevent may have stored more fields of a site.
        known = {one.name for one in fields(Site)}
        sites = [Site(**{name: site[name] for name in known & site.keys()}) for site in values["sites"]]
        telescopes = [telescope_from_json(one) for one in values.get("telescopes", ())]
        return ChannelSites(
            sites=tuple(sites),
            constraints=conditions,
            telescopes=tuple(one for one in telescopes if one is not None),
        )
    try:
        criteria = parse_stored_criteria(values["words"])
    except FilterSyntaxError:
        # They may be of another version of gwevent: they are shown as they are.
        criteria = None
    return SubscriptionState(canonical=values["words"], is_paused=values["paused"], criteria=criteria)
