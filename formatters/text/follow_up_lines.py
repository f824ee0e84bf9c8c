"""Lines about what messages report of an event; plain text that isn't escaped yet."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from formatters.blockkit.mrkdwn import NAME_MAX, plain_text
from formatters.models.circular import named_superevent_ids
from formatters.models.counterpart import Counterpart, Decision, RegionChange
from formatters.models.follow_up import (
    CheckedPosition,
    FollowUp,
    FollowUpEntry,
    LevelsMap,
    named_candidates,
)
from formatters.models.nearby_alert import NearbyCoincidence
from formatters.models.notice import Notice
from formatters.models.position_on_map import PositionOnMap
from formatters.models.related_message import (
    GammaRayFollowUp,
    NeutrinoSearch,
    RelatedMessage,
    ReportedPosition,
)
from formatters.models.superevent import Superevent
from formatters.text import coincidence_lines, quantities, vocabulary

SUBJECT_MAX = 160
"""Longest subject; GCN's are rarely longer."""
AUTHOR_MAX = 60
MAX_POSITIONS = 3
"""Positions of one message that are named; the others are counted."""
MAX_NAMES = 4
"""Counterpart candidates that one line names; the others are counted."""
MIN_SAID_RADIUS = 0.1
"""Radius in degrees from which a position is called the centre of a circle: its level alone would mislead."""
NBSP = quantities.NBSP
WITHDRAWN = "withdrawn by its sender"


def short(text: str, limit: int = NAME_MAX) -> str:
    """Return text from outside as one bounded line; of a long one, only the beginning is looked at."""
    return plain_text(text[: 10 * limit], limit)


def moment(superevent: Superevent, time: datetime) -> str:
    """Return a time with that after the event: "2023-08-10 14:02 UTC (T+9.9 h)"."""
    text = f"{time.astimezone(UTC):%Y-%m-%d %H:%M}{NBSP}UTC"
    event = superevent.event
    return text if event is None else f"{text} (T{quantities.delay(time - event.time)})"


def seconds_after(seconds: float) -> str:
    """Return a time after the event to a tenth of a second: "T+1.7 s", "T−31 s"."""
    text = quantities.number(abs(seconds), 1 if abs(seconds) < 100 else 0)
    sign = quantities.MINUS if seconds < 0 and text.strip("0.") else "+"
    return f"T{sign}{text.removesuffix('.0')}{NBSP}s"


def subject(superevent: Superevent, message: RelatedMessage) -> str:
    """Return a message's subject without a beginning that only repeats the event.

    "LIGO/Virgo/KAGRA S230810af: Updated Sky localization" is "Updated Sky localization" in the thread of
    S230810af, and whole in that of another event.
    """
    whole = short(message.subject, 2 * SUBJECT_MAX)
    prefix = re.compile(
        r"(?:Title: )?(?:(?:LIGO|Virgo|KAGRA|LVK|LVC)(?:[/ -](?:LIGO|Virgo|KAGRA|LVK|LVC)){0,3} )?"
        + re.escape(superevent.superevent_id)
        + r" ?[:,–-] ?",
        re.IGNORECASE,
    )
    match = prefix.match(whole)
    rest = whole if match is None else whole[match.end() :]
    if match is not None and match[0].rstrip().endswith(",") and named_superevent_ids(rest):
        # "S230904n, S230904x: …" is about both.
        rest = whole
    return plain_text(rest or whole, SUBJECT_MAX)


def map_name(superevent: Superevent, notice: Notice) -> str:
    """Return the notice that a map came with, and its age: "UPDATE, T+2.4 h"."""
    name, event = vocabulary.notice_name(superevent, notice), superevent.event
    return name if event is None else f"{name}, T{quantities.delay(notice.time_created - event.time)}"


def levels_lines(superevent: Superevent, levels: LevelsMap, *, has_3d: bool) -> list[str]:
    """Return lines about levels: the map they are of, what they are, and a newer map that can't be read."""
    name, external = map_name(superevent, levels.notice), levels.notice.external
    if levels.is_combined:
        other = "another event" if external is None else coincidence_lines.coincidence_label(external)
        line = f"Levels are in the combined map (GW and {plain_text(other)}) of {name}."
    elif external is not None and external.map_problem is not None:
        line = f"Levels are in the GW map of {name}: its combined map can't be read."
    else:
        line = f"Levels are in the map of {name}."
    explained = (
        "Credible level: the probability of everywhere at least as probable; the smaller, the more probable."
    )
    if has_3d:
        explained += " 3-D: the same in the volume, by probability per Mpc³ (luminosity distance)."
    return [line + newer_maps(superevent, levels.unread), explained]


def gw_map_line(superevent: Superevent, levels: LevelsMap) -> str:
    """Return the line that names the map with which regions are compared, where no level is said."""
    name = map_name(superevent, levels.notice)
    return f"The GW map is that of {name}.{newer_maps(superevent, levels.unread)}"


def newer_maps(superevent: Superevent, unread: Sequence[Notice]) -> str:
    """Return the sentence, with a blank before it, that newer maps than the one named can't be read."""
    names = [vocabulary.notice_name(superevent, notice) for notice in unread]
    return f" That of {_join(names)} is newer, but gwevent can't read it." if names else ""


def fact_lines(follow_up: FollowUp, entry: FollowUpEntry) -> list[str]:
    """Return lines about what a message found, the most important first; none if it was withdrawn."""
    message = entry.stored.message
    if message.is_retracted:
        return []
    match message.details:
        case NeutrinoSearch() as search:
            return _neutrino_lines(follow_up, entry, search)
        case GammaRayFollowUp() as found:
            return [*_gamma_ray_lines(entry, found), *position_lines(follow_up, entry.positions)]
        case None:
            return position_lines(follow_up, entry.positions, message.number)


def position_lines(
    follow_up: FollowUp, positions: Sequence[CheckedPosition], number: int | None = None
) -> list[str]:
    """Return a line for each of the few most probable positions, and one that counts the others.

    What this channel rejected comes last. `number` is the circular's, with which "source 1" of it is named.
    """
    rejected = _rejected_names(follow_up.candidates)
    ranked = sorted(positions, key=lambda one: (_is_named(one.position, rejected, number), _rank(one.on_map)))
    has_map = follow_up.levels_map is not None and not follow_up.levels_failed
    lines = []
    for one in ranked[:MAX_POSITIONS]:
        mark = ", rejected here" if _is_named(one.position, rejected, number) else ""
        lines.append(position_text(one, has_map=has_map) + mark)
    if len(ranked) > MAX_POSITIONS:
        rest = ranked[MAX_POSITIONS:]
        inside = sum(one.on_map is not None and one.on_map.in_90 for one in rest)
        more = f"{len(rest)} more"
        if has_map:
            more += f", {inside or 'none'} of them inside 90{NBSP}%"
        lines.append(f"{more} ({candidates_command(follow_up.superevent)})")
    return lines


def _rejected_names(candidates: Sequence[Counterpart]) -> frozenset[str]:
    """Return all names, as `_plain_name` writes them, of the candidates that this channel rejected."""
    return frozenset(
        _plain_name(name)
        for one in candidates
        if _decision(one) is Decision.REJECT
        for name in (one.name, *one.aliases)
    )


def _is_named(position: ReportedPosition, names: frozenset[str], number: int | None) -> bool:
    """Return whether one of the names in a message's words ("ZTF26x/AT2026abc") is among these."""
    if not names:
        return False
    own = [name for name in re.split(r"[/=;,()]", position.name) if name.strip()]
    return any(names.intersection((_plain_name(name), _plain_name(f"GCN {number} {name}"))) for name in own)


def _plain_name(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def _rank(place: PositionOnMap | None) -> float:
    return math.inf if place is None else place.credible_level


def position_text(checked: CheckedPosition, *, has_map: bool = True) -> str:
    """Return a position's name and its place: "AT2026abc: level 32.4 % (inside 50 %), 3-D level 41.2 %"."""
    position = checked.position
    name = short(position.name) or _coordinates(position)
    if not has_map:
        return name
    place = _place(checked.on_map, position)
    radius = position.radius
    if radius is not None and radius >= MIN_SAID_RADIUS:
        return f"{name}: centre of its {quantities.angle(radius)} circle at {place}"
    return f"{name}: {place}"


def _coordinates(position: ReportedPosition) -> str:
    return quantities.position_sexagesimal(position.ra % 360, position.dec)


def _place(place: PositionOnMap | None, position: ReportedPosition) -> str:
    if place is None:
        return "no level, the map has a gap there"
    region = (
        f"inside 50{NBSP}%" if place.in_50 else f"inside 90{NBSP}%" if place.in_90 else f"outside 90{NBSP}%"
    )
    text = f"level {quantities.credible_level(place.credible_level)} ({region})"
    if place.credible_level_3d is None:
        return text
    level = quantities.credible_level(place.credible_level_3d)
    return f"{text}, 3-D level {level}{_at_distance(position)}"


def _at_distance(position: ReportedPosition) -> str:
    """Return the distance that a level in the volume is of: " at 41 Mpc", " at z = 0.0098"."""
    if position.distance is not None:
        return f" at {quantities.number(position.distance, 0 if position.distance >= 100 else 1)}{NBSP}Mpc"
    return "" if position.redshift is None else f" at z{NBSP}={NBSP}{position.redshift:g}"


def _neutrino_lines(follow_up: FollowUp, entry: FollowUpEntry, search: NeutrinoSearch) -> list[str]:
    parts = [f"p-value generic {p_value(search.p_generic)}, Bayesian {p_value(search.p_bayesian)}"]
    if search.coincident is not None and "coincident" not in entry.stored.message.subject:
        parts.insert(0, quantities.pluralize(search.coincident, "coincident neutrino"))
    searched = searched_map(follow_up, search.searched_notice, entry.stored.message.subject)
    if searched is not None:
        parts.append(searched)
    places = {one.position: one for one in entry.positions}
    has_map = follow_up.levels_map is not None and not follow_up.levels_failed
    listed = []
    for neutrino in search.neutrinos[:MAX_POSITIONS]:
        when = "neutrino" if neutrino.offset_s is None else f"neutrino {seconds_after(neutrino.offset_s)}"
        checked = places.get(neutrino.position, CheckedPosition(position=neutrino.position, on_map=None))
        text = position_text(checked, has_map=has_map and neutrino.position in places)
        where = text.partition(": ")[2] or _coordinates(neutrino.position)
        # None needn't mean that a search wasn't done: it may have found this neutrino of no interest.
        own_values = [("generic", neutrino.p_generic), ("Bayesian", neutrino.p_bayesian)]
        known = [f"{name} {p_value(value)}" for name, value in own_values if value is not None]
        listed.append(", ".join([f"{when}: {where}", *([f"p-value {', '.join(known)}"] if known else [])]))
    if len(search.neutrinos) > MAX_POSITIONS:
        more = len(search.neutrinos) - MAX_POSITIONS
        listed.append(f"{more} more ({candidates_command(follow_up.superevent)})")
    own = {neutrino.position for neutrino in search.neutrinos}
    others = [one for one in entry.positions if one.position not in own]
    return [" · ".join(parts), *listed, *position_lines(follow_up, others)]


def p_value(value: float | None) -> str:
    """Return a p-value with two digits: "0.019", "3.4e-7"; "not done" for None."""
    if value is None:
        return "not done"
    return "0" if value <= 0 else quantities.two_digits(value)


def searched_map(follow_up: FollowUp, name: str, subject: str = "") -> str | None:
    """Return the words for a searched map that isn't known to be the newest: "searched the map of …".

    `name` is LVK's name of a notice, "S230914ak-2-Preliminary"; where it is none of ours, and `subject` says
    it already, there is nothing to add.
    """
    if not name:
        return None
    superevent, levels = follow_up.superevent, follow_up.levels_map
    notice = _named_notice(superevent, name)
    if notice is None:
        return None if name in subject else f"searched the map of {short(name)}"
    if levels is not None and (
        notice.key == levels.notice.key
        or (notice.localization is not None and notice.localization == levels.notice.localization)
    ):
        return None
    notice_name = vocabulary.notice_name(superevent, notice)
    newest = superevent.latest_with_map
    return f"searched the map of {notice_name}" + ("" if newest is None else ", not the newest")


def _named_notice(superevent: Superevent, name: str) -> Notice | None:
    """Return the notice that LVK names by its place and type; None if ours at that place has another type."""
    match = re.fullmatch(r"([A-Za-z0-9]{1,64})-(\d{1,4})-([A-Za-z_ ]{1,40})", name)
    if match is None or match[1].casefold() != superevent.superevent_id.casefold():
        return None
    place = int(match[2]) - 1
    if not 0 <= place < len(superevent.notices):
        return None
    notice = superevent.notices[place]
    return notice if _letters(notice.alert_type) == _letters(match[3]) else None


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text)).casefold()


def _gamma_ray_lines(entry: FollowUpEntry, found: GammaRayFollowUp) -> list[str]:
    parts = []
    if found.far_hz is not None:
        parts.append(f"FAR {quantities.rate(found.far_hz)}")
    if found.snr is not None:
        parts.append(f"SNR {quantities.number(found.snr, 1)}")
    if entry.overlap is not None:
        inside = f"{quantities.percent(entry.overlap)} of the GW map inside its 90{NBSP}% region"
        parts.append(inside)
    return [" · ".join(parts)] if parts else []


def candidates_command(superevent: Superevent) -> str:
    """Return the command that lists all counterpart candidates of the event."""
    return f"/gwevent candidates {plain_text(superevent.superevent_id)}"


def candidates_line(superevent: Superevent, candidates: Sequence[Counterpart]) -> str | None:
    """Return how many counterpart candidates there are, and which lie inside the 90 % region; None without.

    They are those of `named_candidates`.
    """
    candidates = named_candidates(candidates)
    if not candidates:
        return None
    rejected = [one for one in candidates if _decision(one) is Decision.REJECT]
    left = [one for one in candidates if _decision(one) is not Decision.REJECT]
    located = [one for one in left if one.on_map is not None]
    inside = sorted(
        (one for one in located if one.on_map is not None and one.on_map.in_90),
        key=lambda one: (_decision(one) is not Decision.KEEP, _rank(one.on_map)),
    )
    parts = [f"{quantities.pluralize(len(left), 'counterpart candidate')}"]
    if located:
        parts[0] += f", {len(inside) or 'none'} inside the 90{NBSP}% region"
    if inside:
        parts[0] += f": {_listed([_candidate_name(one) for one in inside])}"
    kept = [one for one in left if _decision(one) is Decision.KEEP and one not in inside]
    if kept:
        parts.append(f"kept here besides: {_listed([_candidate_name(one, mark=False) for one in kept])}")
    if rejected:
        parts.append(f"{len(rejected)} rejected here")
    return " · ".join([*parts, candidates_command(superevent)])


def _decision(one: Counterpart) -> Decision | None:
    return None if one.decision is None else one.decision.decision


def _candidate_name(one: Counterpart, *, mark: bool = True) -> str:
    name = short(one.name) or _coordinates(one.position)
    return f"{name} (kept)" if mark and _decision(one) is Decision.KEEP else name


def region_change_line(superevent: Superevent, change: RegionChange, levels: LevelsMap | None) -> str | None:
    """Return the line about candidates that the newest map moved into or out of its 90 % region, if any."""
    region = f"the 90{NBSP}% region"
    moved = [f"{_listed(change.left)} left {region}"] if change.left else []
    if change.entered:
        moved.append(f"{_listed(change.entered)} entered {'it' if moved else region}")
    if not moved:
        return None
    which = "The newest map" if levels is None else f"Map of {map_name(superevent, levels.notice)}"
    return f"{which}, compared with the map before: {'; '.join(moved)}"


def nearby_line(coincidence: NearbyCoincidence) -> str | None:
    """Return how an alert that names no event lies to this one; None without a number to judge it by.

    "Fermi GBM bn240812094: T+1.7 s, 45 % of the GW map inside its 90 % region, 0.0020 expected by chance from
    T−1 s to T+11 s".
    """
    chance = coincidence.expected_by_chance
    alert = coincidence.alert
    if alert.is_retracted or not (math.isfinite(chance) and chance > 0):
        return None
    before, after = coincidence.window_s
    label = " ".join(filter(None, (short(alert.label), short(alert.name))))
    parts = [
        f"{label}: {seconds_after(coincidence.offset_s)}",
        f"{quantities.percent(coincidence.overlap)} of the GW map inside its 90{NBSP}% region",
        f"{quantities.two_digits(chance)} expected by chance from {seconds_after(-before)}"
        f" to {seconds_after(after)}",
    ]
    if not alert.is_burst:
        parts.append("its sender doesn't take it for a burst or an astrophysical neutrino")
    return ", ".join(parts)


def _listed(names: Sequence[str]) -> str:
    shown = [short(name) for name in names[:MAX_NAMES]]
    more = len(names) - len(shown)
    return _join([*shown, *([f"{more} more"] if more else [])])


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
