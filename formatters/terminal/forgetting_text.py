"""The output of `gwevent forget-person`."""

from __future__ import annotations

from collections.abc import Sequence

from formatters.text.quantities import pluralize

NOT_IN_THE_DATABASE = (
    "gwevent can't reach: messages that stand in Slack (those that show the person are edited where they can"
    " be; posts that mention them stay), backups of this database, files of gwevent export, and what your"
    " webhook's service keeps."
)


def summary(
    user_id: str,
    rows: Sequence[tuple[str, str, int]],
    rules: Sequence[tuple[str, str | None]],
    cards: int,
    *,
    is_dry_run: bool,
) -> str:
    """Return the lines about a person who was, or would be, forgotten.

    `rows` are (who it is, what becomes of it, number of rows), `rules` are (subscription, what is
    left to do about it or None).
    """
    if not rows and not rules:
        return f"{user_id} is named nowhere in this database.\n{NOT_IN_THE_DATABASE}"
    head = "would be changed; nothing was. --yes does it" if is_dry_run else "was changed"
    lines = [f"{user_id}: this {head}."]
    lines += [f"  {because}: {pluralize(count, 'row')}, {treatment}" for because, treatment, count in rows]
    for subscription, problem in rules:
        if problem is None:
            done = "no longer mentions them, and the channel is told"
        else:
            done = f"LEFT AS IT IS. {problem}"
        lines.append(f"  {subscription}: {done}")
    if cards:
        lines.append(f"  {pluralize(cards, 'message')} in Slack that show them: edited by the running bot")
    return "\n".join([*lines, NOT_IN_THE_DATABASE])
