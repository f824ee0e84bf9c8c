"""The telescopes that a channel names itself, by which its sentences begin: "MyDome done 12 r 21.5"."""

from __future__ import annotations

from bot.commands.context import CommandContext
from bot.commands.telescope_names import OwnNames, own_names
from bot.store.channels.sites import SiteRepository


class OwnTelescopes:
    """Loads the names of the sites of a channel."""

    def __init__(self, sites: SiteRepository) -> None:
        self._sites = sites

    async def names(self, context: CommandContext) -> OwnNames:
        """Return the normalized names that a sentence typed there may begin with. Raises StoreUnavailable."""
        found = await self._sites.for_channel(*context.channel)
        return own_names(site.name for site in found.sites)
