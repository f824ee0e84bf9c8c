"""Answers to changes of criteria sets: what was changed, who hears of it, or why nothing was."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.answers import criteria
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import SECTION_MAX, bold, escape, plain_text
from formatters.models.criteria_set import SETS_MAX, CriteriaSet
from formatters.text import quantities

_MAX_NAMED = 10
"""Channels, subscriptions or sets that a sentence names; further ones are counted."""
_MAX_INLINE = 600
"""Characters of a command that stands in a line; a longer one has a block of its own, where nothing is cut.

Sent with its end missing it would be taken, and the last grades would be lost.
"""
NOTHING_CHANGED = "Nothing was changed."

Use = tuple[str, int]
"""Channel id and number of a subscription that names a set."""


def added(new: CriteriaSet, notified_channels: Sequence[str]) -> Message:
    """Return the reply to a new set; `notified_channels` are the ids of channels that name it already."""
    said = f"{bold(escape(new.slug))} added."
    how = f"To show its grade in this channel's messages: `subscribe CBC criteria {escape(new.slug)}`."
    return _changed(said, new, notified_channels, how)


def edited(after: CriteriaSet, notified_channels: Sequence[str]) -> Message:
    """Return the reply to an edit, with the new grades.

    `notified_channels` are the ids of channels that use the set.
    """
    return _changed(f"{bold(escape(after.slug))} changed.", after, notified_channels)


def unchanged(set_: CriteriaSet) -> Message:
    """Return the reply to an edit that asks for the grades that the set has."""
    return _refused(f"{NOTHING_CHANGED} These are the grades of {escape(set_.slug)} already.")


def removed(set_: CriteriaSet) -> Message:
    """Return the reply to a removal, with the words that bring the set back."""
    text, said = f"{escape(set_.slug)} removed.", f"{bold(escape(set_.slug))} removed."
    if not set_.canonical:
        return blocks.message(text, blocks.section(said))  # Only another version of gwevent can read it.
    again = f"criteria add {set_.slug} {set_.canonical}"
    if len(again) > _MAX_INLINE:
        return blocks.message(text, blocks.section(f"{said} To have it back:"), blocks.code(again))
    back = f"To have it back: `{escape(again, SECTION_MAX)}`"
    return blocks.message(text, blocks.section(said), blocks.context(back))


def name_taken(slug: str, known: CriteriaSet | None) -> Message:
    """Return the reply to `add` with the name of another set; `known` is None if it can't be read."""
    if known is not None and known.is_built_in:
        return _refused(
            f"{NOTHING_CHANGED} {bold(escape(slug))} is built in: choose another name, as in"
            f" `criteria add {escape(slug[:20])}-team Gold: …`."
        )
    there_is = f"{NOTHING_CHANGED} There is a set {bold(escape(slug))} already"
    if known is None:
        return _refused(
            f"{there_is}, which only another version of gwevent can read. To make room for yours:"
            f" `criteria remove {escape(slug)}`."
        )
    return _refused(
        f"{there_is}. To replace its grades: `criteria edit {escape(slug)} Gold: …`."
        f" It says: `{escape(known.canonical, 2_000)}`."
    )


def too_many() -> Message:
    """Return the reply to `add` in a workspace that has as many sets as it may have."""
    return _refused(
        f"{NOTHING_CHANGED} A workspace has at most {SETS_MAX} criteria sets; to remove one:"
        " `criteria remove NAME`."
    )


def built_in(set_: CriteriaSet) -> Message:
    """Return the reply to an edit or removal of a built-in set, with its grades to copy if it has filters."""
    slug = escape(set_.slug)
    said = f"{NOTHING_CHANGED} {bold(slug)} is built in, so nobody edits or removes it."
    if set_.canonical:
        said += f" One of your own like it: `criteria add {slug}-team {escape(set_.canonical, 2_000)}`."
        if set_.judges_initial:
            said += " Yours would judge each newer notice too, where this one judges the INITIAL alone."
    return _refused(said)


def in_use(slug: str, uses: Sequence[Use], grades: Sequence[str]) -> Message:
    """Return the reply to a change that would take away what subscriptions name: the set, or these grades."""
    named = [f"subscription {number} of {_channel(channel)}" for channel, number in uses[:_MAX_NAMED]]
    if len(uses) > len(named):
        named.append(f"{len(uses) - len(named)} more")
    if grades:
        listed = " and ".join(escape(name) for name in grades[:_MAX_NAMED])
        said = f"{listed} of {bold(escape(slug))} would disappear, and is compared with by {_listed(named)}."
        what = "Keep the grade's name, or edit these first."
    else:
        said = f"{bold(escape(slug))} is used by {_listed(named)}."
        what = "Edit or end these first."
    return _refused(f"{NOTHING_CHANGED} {said} {what}")


def doubtful(sentences: Sequence[str]) -> Message:
    """Return the reply to grades that can hardly be given."""
    said = " ".join(escape(sentence) for sentence in sentences[:_MAX_NAMED])
    if len(sentences) > _MAX_NAMED:
        more = quantities.pluralize(len(sentences) - _MAX_NAMED, "more grade is", "more grades are")
        said += f" {more} like that."
    return _refused(
        f"{said} {NOTHING_CHANGED} To have it all the same, repeat it with the word anyway at the end."
    )


def no_such_set(name: str, nearest: str | None, known: Sequence[str]) -> Message:
    """Return the reply to an edit or removal of a set that there isn't."""
    shown = escape(plain_text(name, 40))
    said = f"There is no criteria set “{shown}”."
    if nearest is not None:
        said += f" Did you mean {escape(nearest)}?"
    listed = ", ".join(map(escape, known[:_MAX_NAMED]))
    more = f" and {len(known) - _MAX_NAMED} more" if len(known) > _MAX_NAMED else ""
    there_are = f" There are: {listed}{more}." if known else ""
    return _refused(f"{said}{there_are} {NOTHING_CHANGED}")


def out_of_date(current: CriteriaSet) -> Message:
    """Return the reply to a change of a set that somebody changed since it was shown, with its grades now."""
    said = f"Somebody changed {current.slug} since you saw it. {NOTHING_CHANGED} It is now:"
    return criteria.definition(current, said)


def how_to_edit(set_: CriteriaSet) -> Message:
    """Return a set's grades as words that can be copied, changed and sent."""
    again = f"criteria edit {set_.slug} {set_.canonical}"
    text = f"Send all grades of {bold(escape(set_.slug))} as they shall be:"
    command = f"/gwevent {again}"
    return blocks.message(
        f"Send all grades of {escape(set_.slug)} as they shall be.",
        blocks.section(text),
        blocks.code(command)
        if len(command) > _MAX_INLINE
        else blocks.section(f"`{escape(command, SECTION_MAX)}`"),
    )


def _changed(said: str, after: CriteriaSet, notified_channels: Sequence[str], how: str = "") -> Message:
    """Return the answer: what was changed, the grades in full, and the channels that hear of it."""
    shown = criteria.definition(after)
    small = []
    if notified_channels:
        channels = [_channel(one) for one in notified_channels[:_MAX_NAMED]]
        if len(notified_channels) > len(channels):
            channels.append(f"{len(notified_channels) - len(channels)} more channels")
        small.append(f"It is used in {_listed(channels)}, and posted there.")
    elif how:
        small.append(how)
    return blocks.message(
        said.replace("*", ""),
        blocks.section(said),
        *shown.blocks[1:],
        *([blocks.context(*small)] if small else []),
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _channel(channel_id: str) -> str:
    """Return a channel as a link, which shows no name to people who may not see the channel."""
    return "a direct message" if channel_id.startswith("D") else f"<#{channel_id}>"


def _refused(text: str) -> Message:
    return blocks.message(text.replace("`", "").replace("*", ""), blocks.section(text), is_refusal=True)
