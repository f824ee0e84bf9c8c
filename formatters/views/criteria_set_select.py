"""The input of the subscription modal that chooses the criteria sets whose grades messages show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from formatters.blockkit.message import Block
from formatters.blockkit.mrkdwn import truncate
from formatters.models.criteria_set import SLUG, CriteriaSet
from formatters.views import modal_inputs
from formatters.views.modal_inputs import MAX_OPTION_CHARS, MAX_OPTIONS

NAME = "criteria_sets"
"""The input's block id, named like the attribute of `SubscriptionForm`."""


def input_blocks(chosen: Sequence[str], sets: Iterable[CriteriaSet]) -> list[Block]:
    """Return the input, with these slugs chosen of `sets`; no block if there is nothing to choose.

    What is chosen stands first, also where there is no such set any more: saving then keeps it, and its
    error stands here. Then come the workspace's own sets, then the built-in ones, as many as Slack takes.
    """
    known = sorted(sets, key=lambda one: (one.is_built_in, one.slug))
    labels = {one.slug: f"{one.slug}: {', '.join(grade.name for grade in one.grades)}" for one in known}
    offered = list(dict.fromkeys((*chosen, *labels)))[:MAX_OPTIONS]
    if not offered:
        return []
    options = {
        slug: truncate(labels.get(slug, f"{slug}: no longer a set here"), MAX_OPTION_CHARS)
        for slug in offered
    }
    return [
        modal_inputs.input_block(
            NAME,
            "Criteria sets",
            modal_inputs.select(options, [slug for slug in chosen if slug in options], nothing="None"),
            hint="Messages say which grade each gives the event. /gwevent criteria says what they ask.",
        )
    ]


def chosen_sets(state: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the slugs chosen in the input's `state`, in the order of choosing; what is none is ignored."""
    slugs = [str(option.get("value")) for option in state.get("selected_options") or ()]
    return tuple(dict.fromkeys(slug for slug in slugs if SLUG.fullmatch(slug)))
