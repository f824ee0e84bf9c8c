"""Repository of the workspaces that installed the app, and of the one-time states of OAuth."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Table, delete, insert, select, update

from bot.routing.planner import plan_installation
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.announcement_writer import write_announcements
from bot.store.outbox.left_incidents import resolve_left_incidents
from formatters.models.left_incident import Removal

_i = schema.installations
_s = schema.oauth_states

STATE_LIFETIME = timedelta(minutes=10)
"""How long an OAuth state is valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledWorkspace:
    """The installation of the app in one workspace."""

    team_id: str
    team_name: str
    bot_user_id: str
    bot_id: str
    app_id: str
    scopes: frozenset[str]
    token: str = field(repr=False)
    """The bot token, encrypted by the caller of `save`."""
    installed_by: str
    """Slack's id of the user who installed it."""


class InstallationRepository:
    """Stores one installation per workspace. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, installed: InstalledWorkspace, now: datetime) -> bool:
        """Store an installation, replacing an earlier one of the workspace, and plan its welcome.

        Return True if the workspace is new.
        """
        values = {
            "team_name": installed.team_name,
            "bot_user_id": installed.bot_user_id,
            "bot_id": installed.bot_id,
            "app_id": installed.app_id,
            "scopes": " ".join(sorted(installed.scopes)),
            "token": installed.token,
            "installed_by": installed.installed_by,
            "installed_at": now,
        }
        async with self._database.exclusive_transaction() as connection:
            mine = _i.c.team_id == installed.team_id
            result = await connection.execute(update(_i).where(mine).values(values))
            is_new = not result.rowcount
            if is_new:
                await connection.execute(insert(_i).values(team_id=installed.team_id, **values))
            intents = plan_installation(installed.team_id, installed.installed_by, is_new=is_new)
            await write_announcements(connection, intents, now)
        return is_new

    async def list_all(self) -> list[InstalledWorkspace]:
        """Return all installations, in order of team id."""
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(select(_i).order_by(_i.c.team_id))).all()
        return [
            InstalledWorkspace(
                team_id=row.team_id,
                team_name=row.team_name,
                bot_user_id=row.bot_user_id,
                bot_id=row.bot_id,
                app_id=row.app_id,
                scopes=frozenset(row.scopes.split()),
                token=row.token,
                installed_by=row.installed_by,
            )
            for row in rows
        ]

    async def delete_workspace(
        self,
        team_id: str,
        now: datetime,
        removal: Removal = Removal.UNINSTALLED,
        *,
        at: datetime | None = None,
    ) -> bool:
        """Delete all data of a workspace, subscriptions included; return True if it was installed.

        `at` is the time when the app was removed: a workspace that has installed it again since is kept. What
        its escalations opened at the operators' service is resolved with the `removal` as the reason.
        """
        async with self._database.exclusive_transaction() as connection:
            query = select(_i.c.installed_at).where(_i.c.team_id == team_id)
            known = (await connection.execute(query)).first()
            if known is not None and at is not None and known.installed_at > at:
                return False
            await resolve_left_incidents(connection, team_id, removal, now)
            await connection.execute(delete(schema.leases).where(schema.leases.c.name == team_id))
            threads = select(schema.threads.c.id).where(schema.threads.c.team_id == team_id)
            tables = list(reversed(schema.metadata.sorted_tables))
            # Before the threads, which not each of these refers to by a key.
            for table in tables:
                if "thread_id" in table.c and "team_id" not in table.c:
                    await connection.execute(delete(table).where(table.c.thread_id.in_(threads)))
            for table in tables:
                if "team_id" in table.c:
                    await connection.execute(delete(table).where(table.c.team_id == team_id))
        return known is not None

    async def reencrypt_tokens(self, reencrypt: Callable[[str], str]) -> int:
        """Replace every token by `reencrypt(token)`; none if that raises. Return the number of tokens."""
        async with self._database.exclusive_transaction() as connection:
            rows = (await connection.execute(select(_i.c.team_id, _i.c.token).with_for_update())).all()
            for row in rows:
                mine = _i.c.team_id == row.team_id
                await connection.execute(update(_i).where(mine).values(token=reencrypt(row.token)))
        return len(rows)

    async def issue_state(self, now: datetime) -> str:
        """Return a new OAuth state, valid for one installation within `STATE_LIFETIME`."""
        state = secrets.token_urlsafe(32)
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(delete(_s).where(_s.c.expires_at < now))
            await connection.execute(
                insert(_s).values(digest=_digest(state), expires_at=now + STATE_LIFETIME)
            )
        return state

    async def consume_state(self, state: str, now: datetime) -> bool:
        """Invalidate an OAuth state; return True if it was valid."""
        good = delete(_s).where(_s.c.digest == _digest(state), _s.c.expires_at >= now)
        async with self._database.exclusive_transaction() as connection:
            return (await connection.execute(good)).rowcount == 1


def workspace_tables() -> list[Table]:
    """Return every table with rows that belong to a workspace or to one of its threads."""
    return [t for t in schema.metadata.sorted_tables if "team_id" in t.c or "thread_id" in t.c]


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
