"""`gwevent consume`: a process that only reads the brokers; others deliver what it plans."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.app.factory import Factory
from bot.app.process import ServiceProcess
from bot.settings import Settings, SettingsError
from bot.sources.base import Source

NEEDS_POSTGRESQL = (
    "gwevent {} shares the work with other processes, which takes PostgreSQL (GWEVENT_DATABASE_URL); "
    "on SQLite gwevent run does everything."
)


class ConsumerApplication(ServiceProcess):
    """The consumers of one process, with its health check, its HTTP server and the operators' webhook.

    The webhook is called from here too: if no process delivers, this one alone can report it.
    """

    def __init__(self, settings: Settings, factory: Factory, sources: Sequence[Source]) -> None:
        """Raises SettingsError on SQLite and without a consumer group of its own."""
        if factory.database.is_sqlite:
            raise SettingsError(NEEDS_POSTGRESQL.format("consume"))
        if settings.kafka_group is None:
            raise SettingsError(
                "GWEVENT_KAFKA_GROUP must be set: each consumer reads in a group of its own, with the same "
                "name after every restart (e.g. gwevent- and the machine's name)."
            )
        super().__init__(settings, factory, sources)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or until a task ends by a fault, which is raised. Raises SettingsError."""
        await self._listen()
        self._start_tasks()
        await self._run_until(stop)
