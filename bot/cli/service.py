"""Commands for long-lived processes, and the one that prepares their database."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.runner import (
    install_signal_handlers,
    load_deployment,
    load_settings,
    run_async,
    run_service,
)
from bot.runtime.garbage_collection import exclude_existing_objects, suspended_for_imports


def run() -> None:
    """Run everything in one process: the consumer, the deliveries, and the answers in Slack."""
    with suspended_for_imports():
        from bot.app.application import Application
        from bot.app.factory import open_factory
        from bot.settings import SettingsError
        from bot.sources.factory import create_sources

    deployment = load_deployment(quiet=True)
    settings = deployment.settings

    async def work() -> None:
        stop = install_signal_handlers()
        sources = create_sources(settings)
        async with open_factory(settings) as factory:
            if (reason := factory.database.why_path_is_aliased()) is not None:
                raise SettingsError(reason)
            if not factory.database.acquire_instance_lock():
                raise SettingsError(f"Another gwevent runs on {factory.database.path} already.")
            application = Application(settings, factory, sources)
            exclude_existing_objects()
            await application.run(stop)

    run_service(work(), deployment, "run")


def consume() -> None:
    """Read the broker only: any number of processes on one PostgreSQL, each in a group of its own."""
    with suspended_for_imports():
        from bot.app.consumer_application import ConsumerApplication
        from bot.app.factory import open_factory
        from bot.sources.factory import create_sources

    deployment = load_deployment(quiet=True)
    settings = deployment.settings

    async def work() -> None:
        stop = install_signal_handlers()
        sources = create_sources(settings)
        async with open_factory(settings) as factory:
            await ConsumerApplication(settings, factory, sources).run(stop)

    run_service(work(), deployment, "consume")


def serve() -> None:
    """Deliver and answer in Slack only: any number of processes on one PostgreSQL."""
    with suspended_for_imports():
        from bot.app.application import Application
        from bot.app.consumer_application import NEEDS_POSTGRESQL
        from bot.app.factory import open_factory
        from bot.settings import SettingsError

    deployment = load_deployment(quiet=True)
    settings = deployment.settings

    async def work() -> None:
        stop = install_signal_handlers()
        async with open_factory(settings) as factory:
            if factory.database.is_sqlite:
                raise SettingsError(NEEDS_POSTGRESQL.format("serve"))
            application = Application(settings, factory, [])
            exclude_existing_objects()
            await application.run(stop)

    run_service(work(), deployment, "serve")


def migrate(
    prepare_rollback: Annotated[
        bool,
        typer.Option(
            "--prepare-rollback",
            help="Close what gwevent 0.1.0 can't read. Stop all processes before; start gwevent 0.1.0 after.",
        ),
    ] = False,
) -> None:
    """Bring the database to this version's tables."""
    from bot.app.deployment import missing_database_error
    from bot.app.factory import utc_now
    from bot.settings import SettingsError
    from bot.store import rollback
    from bot.store.database import Database

    settings = load_settings()

    async def work() -> None:
        database = Database(settings.effective_database_url)
        try:
            if not prepare_rollback:
                await database.migrate()
                typer.echo("The database is at this version.")
                return
            if not await database.has_tables():
                raise missing_database_error(settings.effective_database_url)
            if not database.acquire_instance_lock():
                raise SettingsError(f"A gwevent runs on {database.path}: stop it first.")
            closed = await rollback.prepare_rollback(database, utc_now())
        finally:
            await database.close()
        typer.echo(
            "The database is ready for gwevent 0.1.0; start nothing of this version before it. Closed were "
            f"deliveries: {closed.deliveries}, incidents: {closed.incidents}, webhook calls: {closed.calls}."
        )
        if closed.escalations:
            typer.echo(
                f"Escalations stopped: {closed.escalations}. Nobody further is mentioned; an incident that "
                "one of them opened at PagerDuty stays open there."
            )
        if closed.rewritten:
            typer.echo(f"Subscriptions written without what 0.1.0 doesn't know: {closed.rewritten}.")
        if closed.left_out:
            typer.echo(f"gwevent 0.1.0 can't read, and won't serve: {', '.join(closed.left_out)}.")

    run_async(work())
