"""Years of alerts in a PostgreSQL database, made there."""

from __future__ import annotations

from sqlalchemy import text

from bot.store.database import Database
from tests.support.factories import REAL, decoded_notice

NOTICES_EACH = 4
"""Notices of a superevent."""
CHANNELS_EACH = 8
"""Channels that a superevent went to, each with a root and a reply."""

_STATEMENTS = (
    """INSERT INTO superevents (superevent_id, category, revision, group_name, event_time)
    SELECT 'S' || n, 'real', :each, 'CBC', now() - n * interval '1 minute'
    FROM generate_series(1, :events) n""",
    """INSERT INTO notices (superevent_id, alert_type, time_created, received_at, origin, facts)
    SELECT superevent_id, 'UPDATE', event_time + k * interval '1 second', event_time, 'hopskotch:past',
        replace(:facts, :id, superevent_id)
    FROM superevents, generate_series(1, :each) k""",
    "INSERT INTO payloads (notice_id, body) SELECT id, 'past' FROM notices",
    """INSERT INTO threads (team_id, channel_id, superevent_id, subscription_id, root_ts, wanted_revision,
        shown_revision, root_fixed)
    SELECT team_id, channel_id, superevent_id, s.id, '1.1', 1, 1, false
    FROM (SELECT superevent_id, row_number() OVER () n FROM superevents) e
    CROSS JOIN generate_series(0, :channels - 1) k
    JOIN (SELECT id, team_id, channel_id, row_number() OVER () - 1 m FROM subscriptions) s
        ON m = (n * :channels + k) % (SELECT count(*) FROM subscriptions)""",
    """INSERT INTO deliveries (team_id, channel_id, kind, slot, thread_id, subject_id, priority, state,
        not_before, attempts, doubtful, created_at, attempted_at, sent_at, ts)
    SELECT team_id, channel_id, kind, kind || '-' || id, id, 1, 0, 'sent',
        now(), 1, false, now(), now(), now(), '1.1'
    FROM threads, unnest(ARRAY['root', 'reply']) kind""",
    """INSERT INTO mentions (thread_id, notice_id, occasion, targets)
    SELECT thread_id, min(n.id), 'root', '<!here>'
    FROM (SELECT id thread_id, superevent_id FROM threads) t JOIN notices n USING (superevent_id)
    GROUP BY 1""",
    "INSERT INTO observers (thread_id, user_id, since) SELECT id, 'U1', now() FROM threads",
    """INSERT INTO pictures (team_id, superevent_id, notice_id, state, alt_text, file_id, attempts,
        not_before, created_at)
    SELECT 'T', superevent_id, min(id), 'ready', 'map', 'F1', 1, now(), now()
    FROM notices GROUP BY superevent_id""",
)


async def fill_history(database: Database, notices: int) -> None:
    """Store so many notices, with what became of them in the channels that are subscribed."""
    values = {
        "events": notices // NOTICES_EACH,
        "each": NOTICES_EACH,
        "channels": CHANNELS_EACH,
        "facts": decoded_notice().to_json(),
        "id": REAL,
    }
    async with database.exclusive_transaction() as connection:
        for statement in _STATEMENTS:
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            await connection.execute(text(statement), used)


async def analyze_tables(database: Database) -> None:
    """Tell the planner how large the tables are, as autovacuum does by and by."""
    async with database.exclusive_transaction() as connection:
        await connection.execute(text("ANALYZE"))
