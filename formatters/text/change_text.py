"""Authors and differences of changes to what a channel receives, used in the change post and the history."""

from __future__ import annotations

from collections.abc import Iterable

from formatters.blockkit.mrkdwn import plain_text
from formatters.models.channel_change import (
    BY_FORGETTING,
    BY_GWEVENT,
    BY_IMPORT,
    BY_ROLLBACK,
    ChannelChange,
    CriteriaSetState,
    RecordedState,
    SubscriptionState,
)
from formatters.models.filter import format_degrees
from formatters.models.observing import ChannelSites, Site
from formatters.text.criteria_text import user_mention
from formatters.text.telescope_text import telescope, telescope_arguments, telescope_change


def author_names(users: Iterable[str]) -> str:
    """Return the authors of changes, each once, as mrkdwn. Slack shows a user mention as a name."""
    names = {
        BY_IMPORT: "gwevent's operator (`gwevent import`)",
        BY_GWEVENT: "gwevent itself (its confirmation couldn't be posted)",
        BY_ROLLBACK: "gwevent's operator (`gwevent migrate --prepare-rollback`)",
        BY_FORGETTING: "gwevent's operator (`gwevent forget-person`)",
    }
    return " and ".join(dict.fromkeys(names.get(user) or user_mention(user) for user in users))


def change_summary(change: ChannelChange) -> tuple[str, str]:
    """Return a change's subject ("subscription 3 changed") and the words before and after; not escaped."""
    state = change.after or change.before
    match state:
        case SubscriptionState():
            before = _subscription_words(change.before)
            after = _subscription_words(change.after)
            subject = "subscription" if change.number is None else f"subscription {change.number}"
            return _verb(subject, before, after), _before_after(before, after)
        case CriteriaSetState():
            old = change.before if isinstance(change.before, CriteriaSetState) else None
            new = change.after if isinstance(change.after, CriteriaSetState) else None
            before, after = (None if one is None else one.canonical for one in (old, new))
            return _verb(f"criteria set {state.slug}", before, after), _before_after(before, after)
        case _:
            differences = [words for words, _ in site_differences(change.before, change.after)]
            return "sites changed", "; ".join(differences)


def _subscription_words(state: RecordedState | None) -> str | None:
    if not isinstance(state, SubscriptionState):
        return None
    return f"{state.canonical} (paused)" if state.is_paused else state.canonical


def _verb(subject: str, before: str | None, after: str | None) -> str:
    return f"{subject} {'added' if before is None else 'ended' if after is None else 'changed'}"


def _before_after(before: str | None, after: str | None) -> str:
    return " → ".join(words for words in (before, after) if words is not None)


def _as_channel_sites(state: RecordedState | None) -> ChannelSites:
    return state if isinstance(state, ChannelSites) else ChannelSites()


def site_differences(
    old_state: RecordedState | None, new_state: RecordedState | None
) -> list[tuple[str, str]]:
    """Return each change of the sites, with the arguments of `/gwevent sites` that undo it; not escaped."""
    before, after = _as_channel_sites(old_state), _as_channel_sites(new_state)
    old = {site.name: site for site in before.sites}
    new = {site.name: site for site in after.sites}
    found = [
        (f"{plain_text(n)} removed", f"add {_site_arguments(site)}{_telescope_arguments(before, n)}")
        for n, site in old.items()
        if n not in new
    ]
    found += [
        (f"{plain_text(n)} added{_with_telescope(after, n)}", f"remove {n}") for n in new if n not in old
    ]
    found += [
        (f"{plain_text(n)} {_site_change(site, new[n])}", f"add {_site_arguments(site)}")
        for n, site in old.items()
        if n in new and new[n] != site
    ]
    found += _telescope_differences(before, after, kept=[n for n in old if n in new])
    for name in ("altitude", "darkness"):
        was, is_ = getattr(before.constraints, name), getattr(after.constraints, name)
        if was != is_:
            found.append(
                (f"{name} {format_degrees(was)}° → {format_degrees(is_)}°", f"{name} {format_degrees(was)}")
            )
    return found


def grade_differences(before: CriteriaSetState, after: CriteriaSetState) -> list[str]:
    """Return each change of a criteria set's grades ("Gold: distance<150 → distance<120"); not escaped."""
    old, new = dict(before.grades), dict(after.grades)
    found = []
    for name, text in new.items():
        if name not in old:
            found.append(f"{name} added: {text}")
        elif old[name] != text:
            found.append(f"{name}: {old[name]} → {text}")
    found += [f"{name} removed: {text}" for name, text in old.items() if name not in new]
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old] or (len(new) > len(kept) and kept):
        found.append(f"from the best down: {', '.join(new)}")
    return found


def _telescope_differences(
    before: ChannelSites, after: ChannelSites, kept: Iterable[str]
) -> list[tuple[str, str]]:
    """Return each change of the telescopes at sites that stayed, with the arguments that undo it."""
    found = []
    for name in kept:
        old, new = before.telescope_at(name), after.telescope_at(name)
        if old == new:
            continue
        if new is not None and old is not None:
            words = telescope_change(old, new)
        else:
            words = "field of view removed" if new is None else telescope(new)
        undo = f"remove {name} fov" if old is None else f"edit {name} {telescope_arguments(old)}"
        found.append((f"{plain_text(name)} {words}", undo))
    return found


def _with_telescope(sites: ChannelSites, name: str) -> str:
    found = sites.telescope_at(name)
    return "" if found is None else f" with a {telescope(found)}"


def _telescope_arguments(sites: ChannelSites, name: str) -> str:
    found = sites.telescope_at(name)
    return "" if found is None else f" {telescope_arguments(found)}"


def _site_change(old: Site, new: Site) -> str:
    """Return the changes of a site that kept its name: "moved, time zone none → Europe/Paris"."""
    parts = []
    if (old.latitude, old.longitude) != (new.latitude, new.longitude):
        parts.append("moved")
    if old.height != new.height:
        parts.append(f"height {format_degrees(old.height)} → {format_degrees(new.height)} m")
    if old.radio != new.radio:
        parts.append("now a radio site" if new.radio else "no longer a radio site")
    if old.zone != new.zone:
        parts.append(f"time zone {plain_text(old.zone or 'none')} → {plain_text(new.zone or 'none')}")
    return ", ".join(parts) or "changed"


def _site_arguments(site: Site) -> str:
    """Return a site as a person would type it: "Palomar 33.3563 -116.865 1706 America/Los_Angeles"."""
    numbers = map(format_degrees, (site.latitude, site.longitude, site.height))
    further = [*(["radio"] if site.radio else []), *([site.zone] if site.zone else [])]
    return " ".join([site.name, *numbers, *further])
