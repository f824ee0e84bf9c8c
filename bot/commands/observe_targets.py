"""Which instrument is meant: one at a site of the channel, one of the table, or one of any other name. Pure.

A site of the channel comes first, as in `plan`: there its field of view is known to the channel. Its name is
the instrument's where the channel has that instrument at one site only ("ZTF"), else the site's.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands.errors import CommandError
from bot.commands.time_words import tells_time
from bot.observing.instruments import NAME_MAX, Instruments
from bot.observing.observatories import (
    find_observatory,
    find_own_site,
    join_with_or,
    name_keys,
    normalized_name,
)
from formatters.models.observing import ChannelSites, Site
from formatters.models.pointing import Footprint, Telescope

_MAX_NAME_WORDS = 6
_SIMILAR = 0.65
_MAX_NAMED = 6
FOLDED_MIN = 2
"""Letters and digits that a name has at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An instrument that observes."""

    name: str
    """As it is stored and shown; not escaped."""
    site: Site | None = None
    """The channel's site; None for an instrument that belongs to none."""
    telescope: Telescope | None = None
    """The telescope at that site, if its field of view is known to the channel."""
    footprint: Footprint | None = None
    """None if the field of view isn't known."""
    is_known: bool = True
    """False for a name that stands in no table and is none of the channel's sites."""


def find_target(name: str, own: ChannelSites, instruments: Instruments) -> Target | None:
    """Return the instrument of a name or alias; None if no table has it and no site is called so."""
    if len(normalized_name(name)) < FOLDED_MIN or not any(c.isalpha() for c in name):
        return None
    # "ZTF telescope" and "ZTF the field" are ZTF, though they name its site as well.
    instrument = instruments.find(name) or next(filter(None, map(instruments.find, name_keys(name))), None)
    site = find_own_site(name, own.sites)
    if site is None and instrument is not None:
        same = [one for one in own.telescopes if _is_instrument(one, instrument.name)]
        site = find_own_site(same[0].site, own.sites) if len(same) == 1 else None
        if site is None and len(same) > 1:
            return Target(name=instrument.name, footprint=instrument.footprint)
    observatory = find_observatory(name)
    if site is None and observatory is not None:
        site = find_own_site(observatory.name, own.sites)
    if site is not None:
        telescope = own.telescope_at(site.name)
        if telescope is not None:
            return Target(
                name=_name_at(telescope, own, instruments),
                site=site,
                telescope=telescope,
                footprint=telescope.footprint,
            )
        if instrument is None:
            return Target(name=site.name, site=site)
        return Target(name=instrument.name, site=site, footprint=instrument.footprint)
    if instrument is not None:
        return Target(name=instrument.name, footprint=instrument.footprint)
    return None if observatory is None else Target(name=observatory.name)


def channel_targets(own: ChannelSites, instruments: Instruments) -> tuple[Target, ...]:
    """Return the instruments at the channel's sites, in their order."""
    found = (find_target(site.name, own, instruments) for site in own.sites)
    return tuple({one.name: one for one in found if one is not None}.values())


def take_target(
    words: Sequence[str], own: ChannelSites, instruments: Instruments
) -> tuple[Target | None, list[str]]:
    """Return the instrument with the longest name at the beginning of the words, and the words behind it."""
    for length in range(min(_MAX_NAME_WORDS, len(words)), 0, -1):
        found = find_target(" ".join(words[:length]), own, instruments)
        if found is not None:
            return found, list(words[length:])
    return None, list(words)


def named_target(name: str, own: ChannelSites, instruments: Instruments, *, is_quoted: bool) -> Target:
    """Return the instrument of a name that may stand in no table.

    Raises CommandError for one that is no name, and, unless it stood in quotes, for one that is a time or
    nearly a known one.
    """
    found = find_target(name, own, instruments)
    if found is not None:
        return found
    plain = " ".join(name.split())
    if len(normalized_name(plain)) < FOLDED_MIN or len(plain) > NAME_MAX:
        raise CommandError(
            f"“{plain[:NAME_MAX]}” is no instrument's name: it has {FOLDED_MIN} to {NAME_MAX} characters."
        )
    if tells_time(plain) and not is_quoted:
        raise CommandError(
            f"“{plain}” says when, and not which telescope: write observe ZTF done r 21.5 at 03:20 UTC."
        )
    near = similar_names(plain, own, instruments)
    if near and not is_quoted:
        raise CommandError(
            f"I know no site or instrument “{plain}”; did you mean {join_with_or(near)}? If that is its name,"
            f' put it in quotes: observe "{plain}" done.'
        )
    return Target(name=plain, is_known=False)


def similar_names(name: str, own: ChannelSites, instruments: Instruments) -> list[str]:
    """Return names that may be meant by one that nothing has, the most similar first."""
    known = {normalized_name(one): one for one in (*(site.name for site in own.sites), *instruments.names)}
    near = difflib.get_close_matches(normalized_name(name), known, n=3, cutoff=_SIMILAR)
    return [known[one] for one in near]


def known_names(own: ChannelSites, instruments: Instruments) -> str:
    """Return the words of a sentence that names what may be meant: the channel's, or some of the table's."""
    here = [one.name for one in channel_targets(own, instruments)][:_MAX_NAMED]
    return join_with_or(here or [*instruments.names[: _MAX_NAMED - 1], "another one"])


def _name_at(telescope: Telescope, own: ChannelSites, instruments: Instruments) -> str:
    """Return the name of the instrument at a site if the channel has it at one site only, else the site's."""
    words = telescope.footprint.words
    instrument = instruments.find(words) if normalized_name(words) else None
    if instrument is None:
        return telescope.site
    others = [one for one in own.telescopes if _is_instrument(one, instrument.name)]
    return instrument.name if len(others) == 1 else telescope.site


def _is_instrument(telescope: Telescope, name: str) -> bool:
    return normalized_name(telescope.footprint.words) == normalized_name(name)
