"""The sites that `visible from` means in a channel: its own first, then the observatories, then places."""

from __future__ import annotations

import re
from functools import partial

from bot.commands.context import CommandContext
from bot.filters import SiteNameResolver
from bot.observing.site_references import resolve_site
from bot.store.channels.sites import SiteRepository

_VISIBLE = re.compile(r"\bvisible\b", re.IGNORECASE)


class ChannelSiteResolvers:
    """Returns resolvers of site names for filters that are typed in a channel."""

    def __init__(self, sites: SiteRepository) -> None:
        self._sites = sites

    async def for_text(self, context: CommandContext | None, text: str) -> SiteNameResolver:
        """Return the resolver for a text that is to be parsed, typed in a channel or, with None, in no one's.

        The channel's sites are read from the store only if the text may name one. Raises StoreUnavailable.
        """
        if context is None or _VISIBLE.search(text) is None:
            return resolve_site
        return partial(resolve_site, own=(await self._sites.for_channel(*context.channel)).sites)
