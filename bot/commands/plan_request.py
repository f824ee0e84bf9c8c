"""From the words after `plan` and a channel's sites to what is to be planned, or which site to name."""

from __future__ import annotations

from collections.abc import Iterable

from bot.commands.errors import CommandError
from bot.commands.plan_words import EXAMPLES, PlanWords, parse_plan_words
from bot.commands.sites import parse_site_names
from bot.observing.observatories import find_own_site
from formatters.models.event_plan import PlanRequest
from formatters.models.observing import ChannelSites, Site
from formatters.models.pointing import Telescope
from formatters.text import quantities

_FOV_EXAMPLE = "fov 1.1deg circle exposure 3min overhead 1min"


def read_plan_request(arguments: str, own: ChannelSites) -> tuple[PlanRequest, str | None]:
    """Return the plan that is asked for, and the format to export it in, if any. Raises CommandError."""
    words = parse_plan_words(arguments, own.sites)
    if words.unknown:
        raise CommandError(_unknown_words(words, own))
    site, telescope = _find_telescope(words, own)
    if words.duration is not None and words.duration < telescope.exposure:
        raise CommandError(
            f"One field takes {quantities.duration_text(telescope.exposure)} at {site.name}:"
            " the time that you give is shorter."
        )
    request = PlanRequest(
        site=site,
        telescope=telescope,
        constraints=own.constraints,
        count=words.count,
        duration=words.duration,
    )
    return request, words.export


def _find_telescope(words: PlanWords, own: ChannelSites) -> tuple[Site, Telescope]:
    """Return the telescope that is named, else the channel's only one, with its site. Raises CommandError."""
    telescopes = {
        site: one for one in own.telescopes if (site := find_own_site(one.site, own.sites)) is not None
    }
    if words.site is not None:
        if words.site not in telescopes:
            raise CommandError(_no_field_of_view(words.site.name, telescopes))
        return words.site, telescopes[words.site]
    if not telescopes:
        name = own.sites[0].name if own.sites else "Palomar"
        raise CommandError(
            "No site of this channel has a field of view yet; to give it one:"
            f" /gwevent sites add {name} {_FOV_EXAMPLE}."
        )
    if len(telescopes) > 1:
        names = [site.name for site in telescopes]
        raise CommandError(f"Which telescope, {_either(names)}? For example: /gwevent plan {names[0]}.")
    return next(iter(telescopes.items()))


def _unknown_words(words: PlanWords, own: ChannelSites) -> str:
    """Return the sentence about words that aren't of `plan`: a site that isn't the channel's, or none."""
    try:
        named = parse_site_names(words.unknown, own.sites)
    except CommandError as error:
        here = [one.site for one in own.telescopes]
        which = f" This channel's telescopes: {', '.join(here)}." if here else ""
        return f"{error}{which} A plan reads like this: {EXAMPLES}."
    name = named[0].name if named else words.unknown[:40]
    return _no_field_of_view(name, [one for one in own.sites if _has_telescope(one, own)])


def _has_telescope(site: Site, own: ChannelSites) -> bool:
    return any(find_own_site(one.site, [site]) is not None for one in own.telescopes)


def _no_field_of_view(name: str, others: Iterable[Site]) -> str:
    """Return that a site has none, how to give it one, and which `others` of the channel have one."""
    known = ", ".join(site.name for site in others)
    with_one = f" With one: {known}." if known else ""
    return (
        f"{name} has no field of view in this channel; to give it one:"
        f" /gwevent sites add {name} {_FOV_EXAMPLE}.{with_one}"
    )


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
