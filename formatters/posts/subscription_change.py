"""What somebody changed in what a channel receives: the post that says so, and the history of all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from formatters.answers.subscription_messages import describe, person
from formatters.blockkit import blocks
from formatters.blockkit.message import Block, Message
from formatters.blockkit.mrkdwn import SECTION_MAX, bold, escape, plain_text, shorten, width
from formatters.models.channel_change import IMPORT, ITSELF, PAGE, Change, State, SubscriptionState
from formatters.models.filter import degrees
from formatters.models.observing import ChannelSites, Site
from formatters.models.subscription import Subscription
from formatters.text import quantities

_TYPED_MAX = 1_000
"""Characters that may be typed at once (`bot.answers.LONGEST_QUESTION`)."""
_SAID_MAX = 7_500
"""Of the characters that a message may have, so many for the changes."""
_TEXT_MAX = 1_500
"""And so many for the words of the notification."""
_SECTIONS_MAX = 40
_HISTORY_WORDS_MAX = 300


def subscription_change(changes: Sequence[Change], here: Sequence[Subscription]) -> Message:
    """The post in the channel: what changed, who did it, and the command that brings it back.

    `changes` (at least one) in the order in which they happened; several of one subscription are said as one,
    from what was first to what is last. `here` is what the channel has now.
    """
    subjects: dict[int | None, list[Change]] = {}
    for change in changes:
        subjects.setdefault(change.number, []).append(change)
    sections: list[Block] = []
    heads: list[str] = []
    left = _SAID_MAX
    for group in subjects.values():
        lines = _said(group)
        made = _sections(lines)
        left -= sum(width(section["text"]["text"]) for section in made)
        if heads and (left < 0 or len(sections) + len(made) > _SECTIONS_MAX):
            break
        sections += made
        heads.append(lines[0])
    rest = len(subjects) - len(heads)
    # It may be said late: where nothing could be posted for days, say.
    when = escape(f"Changed at {quantities.utc(max(change.at for change in changes))}.")
    more = [] if not rest else [f"And {rest} more: `/gwevent subscriptions history` lists them."]
    text = blocks.fit([*heads, *more], _TEXT_MAX).replace("*", "").replace("`", "")
    return blocks.message(text, *sections, blocks.context(*more, _left(here), when))


def subscription_history(changes: Sequence[Change], page: int, total: int) -> Message:
    """The changes of one page, the newest first; `total` is how many are kept."""
    if not total:
        return _short("Nobody has changed what this channel receives, as far as that is kept (400 days).")
    pages = -(-total // PAGE)
    if not changes:
        return _short(f"The history has {pages} page{'s' if pages > 1 else ''}, no page {page}.")
    further = [f"Page {page} of {pages}, the newest first."]
    if page < pages:
        further.append(f"Older: `/gwevent subscriptions history {page + 1}`")
    return blocks.message(
        f"Who changed what this channel receives, page {page} of {pages}",
        *(blocks.section(change_line(change)) for change in changes),
        blocks.context(*further),
    )


def change_line(change: Change) -> str:
    """One change in one line."""
    when = escape(quantities.utc(change.at))
    what = _sites_line(change) if change.number is None else _subscription_line(change)
    return f"{when} · {who([change.by])} · {what}"


def who(users: Iterable[str]) -> str:
    """Who did it, each once; a person is mentioned."""
    names = {
        IMPORT: "gwevent's operator (`gwevent import`)",
        ITSELF: "gwevent itself (its confirmation couldn't be posted)",
    }
    return " and ".join(dict.fromkeys(names.get(user) or person(user) for user in users))


def _sections(lines: Sequence[str]) -> list[Block]:
    """As few sections as hold all the lines, so that none of them, the command least of all, falls off."""
    packed: list[list[str]] = [[]]
    for line in lines:
        if packed[-1] and width("\n".join([*packed[-1], line])) > SECTION_MAX:
            packed.append([])
        packed[-1].append(line)
    return [blocks.section(*some) for some in packed]


def _said(group: Sequence[Change]) -> list[str]:
    """What happened to one subscription, or to the sites; at least one line."""
    by, others = who([group[-1].by]), [change.by for change in group if change.by != group[-1].by]
    if group[0].number is None:
        return [*_sites_said(group, by), *_before(others)]
    name = f"subscription {group[0].number}"
    before, after = group[0].before, group[-1].after
    gone = group[-1].before
    assert not isinstance(before, ChannelSites) and not isinstance(after, ChannelSites)
    if after is None:
        was = gone if isinstance(gone, SubscriptionState) else before
        assert was is not None, "what ended was something"
        return [
            f"{by} ended {name}, {bold(was.quiet)}: nothing comes of it any more. Messages already here stay"
            " true, but no replies follow.",
            _back("subscribe", was),
            *_before(others),
        ]
    number = group[0].number
    if before is None:
        stands = f" It is paused: `/gwevent resume {number}` lets it come." if after.paused else ""
        return [
            f"{by} put {name} in force: {bold(after.quiet)}.{stands}",
            *_meaning(after),
            f"To end it: `/gwevent unsubscribe {number}`",
        ]
    if before.words != after.words:
        paused = f" It is paused: `/gwevent resume {number}` lets it come again." if after.paused else ""
        if before.paused and not after.paused:
            paused = " It was paused, and comes again."
        return [
            f"{by} changed {name} from {bold(before.quiet)} to {bold(after.quiet)}.{paused}",
            *_meaning(after),
            _back(f"edit {number}", before),
            *_before(others),
        ]
    if before.paused == after.paused:
        stands = f"it is paused (`/gwevent resume {number}`)" if after.paused else "it comes"
        return [
            f"{by} changed {name} and changed it back: {bold(after.quiet)}, and {stands}.",
            *_before(others),
        ]
    if after.paused:
        return [
            f"{by} paused {name}, {bold(after.quiet)}: nothing comes of it, and threads get no replies.",
            f"To let it come again: `/gwevent resume {number}`",
            *_before(others),
        ]
    return [
        f"{by} let {name} come again: {bold(after.quiet)}; what came meanwhile isn't posted.",
        *_meaning(after),
        f"To pause it again: `/gwevent pause {number}`",
        *_before(others),
    ]


def _before(others: Sequence[str]) -> list[str]:
    """Who else changed it since the channel heard of it last."""
    return [f"Shortly before, {who(others)} changed it too."] if others else []


def _meaning(state: SubscriptionState) -> list[str]:
    return [] if state.criteria is None else describe(state.criteria, quiet=True)


def _back(command: str, state: SubscriptionState) -> str:
    """The exact command that brings back what was; what is too long to be typed goes into the dialog."""
    typed = f"{command} {state.words}"
    if len(typed) > _TYPED_MAX:
        return (
            "To bring it back: its words are too long for a command; the dialog takes them: `/gwevent dialog`"
        )
    return f"To bring it back: {_code(typed)}"


def _code(command: str) -> str:
    return f"`{escape(f'/gwevent {command}', SECTION_MAX)}`"


def _left(here: Sequence[Subscription]) -> str:
    """What the channel receives now, in one line."""
    history = "Who changed what: `/gwevent subscriptions history`"
    if not here:
        nothing = bold("Nothing comes to this channel: it has no subscription.")
        return f"{nothing} `/gwevent subscribe CBC` makes one. {history}"
    paused = sum(s.paused_at is not None for s in here)
    if paused == len(here):
        return f"{bold('Nothing comes to this channel now: what it is subscribed to is paused.')} {history}"
    has = f"This channel has {len(here)} subscription{'s' if len(here) > 1 else ''}"
    which = f", {paused} of them paused" if paused else ""
    return f"{has}{which}: `/gwevent subscriptions`. {history}"


def _subscription_line(change: Change) -> str:
    before, after = change.before, change.after
    name = f"subscription {change.number}"
    assert not isinstance(before, ChannelSites) and not isinstance(after, ChannelSites)
    if after is None:
        return f"{name} ended" + ("" if before is None else f": {_brief(before)}")
    if before is None:
        return f"{name} put in force: {_brief(after)}" + (", paused" if after.paused else "")
    if before.words != after.words:
        return f"{name} changed: {_brief(before)} → {_brief(after)}"
    return f"{name} {'paused' if after.paused else 'comes again'}: {_brief(after)}"


def _brief(state: SubscriptionState) -> str:
    return bold(shorten(state.shown, _HISTORY_WORDS_MAX))


def _sites_line(change: Change) -> str:
    before, after = _of_sites(change.before), _of_sites(change.after)
    return escape("sites: " + "; ".join(what for what, _ in _differences(before, after)), SECTION_MAX)


def _sites_said(group: Sequence[Change], by: str) -> list[str]:
    differences = _differences(_of_sites(group[0].before), _of_sites(group[-1].after))
    if not differences:
        return [f"{by} changed this channel's sites and changed them back."]
    what = "; ".join(said for said, _ in differences)
    commands = ", ".join(_code(f"sites {words}") for _, words in differences)
    return [
        f"{by} changed what this channel is told about its sites: {escape(what, SECTION_MAX)}.",
        f"To bring it back: {commands}",
    ]


def _of_sites(state: State | None) -> ChannelSites:
    return state if isinstance(state, ChannelSites) else ChannelSites()


def _differences(before: ChannelSites, after: ChannelSites) -> list[tuple[str, str]]:
    """What changed, each with the words after `/gwevent sites` that bring it back; not escaped."""
    old = {site.name: site for site in before.sites}
    new = {site.name: site for site in after.sites}
    found = [(f"{plain_text(n)} removed", f"add {_place(site)}") for n, site in old.items() if n not in new]
    found += [(f"{plain_text(n)} added", f"remove {n}") for n in new if n not in old]
    found += [
        (f"{plain_text(n)} moved", f"add {_place(site)}")
        for n, site in old.items()
        if n in new and new[n] != site
    ]
    for name in ("altitude", "darkness"):
        was, is_ = getattr(before.conditions, name), getattr(after.conditions, name)
        if was != is_:
            found.append((f"{name} {degrees(was)}° → {degrees(is_)}°", f"{name} {degrees(was)}"))
    return found


def _place(site: Site) -> str:
    """A site as one would type it: "Palomar 33.3563 -116.865 1706 America/Los_Angeles"."""
    numbers = map(degrees, (site.latitude, site.longitude, site.height))
    further = [*(["radio"] if site.radio else []), *([site.zone] if site.zone else [])]
    return " ".join([site.name, *numbers, *further])


def _short(text: str) -> Message:
    return blocks.message(text.replace("*", "").replace("`", ""), blocks.section(text))
