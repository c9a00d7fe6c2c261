"""SQL on router's tables: inserts a large roster without free capacity, and a long queue."""

from typing import Final

import asyncpg

__all__ = ["CAPACITY", "seed"]

CAPACITY: Final = 3
"""Emails that each specialist may hold, and holds."""

_SPECIALISTS: Final = """
    INSERT INTO specialist (
        specialist_id, name, languages, presence, listed_at, removed, levels, skills)
    SELECT 'specialist-' || n, 'Specialist ' || n, languages, 'online', now(), false,
           (SELECT jsonb_object_agg(tag, 3 + (n + ordinality) % 3)
            FROM unnest(languages) WITH ORDINALITY AS spoken (tag, ordinality)),
           CASE n % 5 WHEN 0 THEN '{crm}'::text[] WHEN 1 THEN '{api}' ELSE '{}' END
    FROM generate_series(0, $1::int - 1) AS n
    CROSS JOIN LATERAL (
        SELECT CASE n % 3 WHEN 0 THEN ARRAY['en']
               ELSE ARRAY['en', ($2::text[])[1 + n % cardinality($2)]] END) AS speaks (languages)
"""
_CAPACITIES: Final = """
    INSERT INTO capacity (specialist_id, channel, capacity, load)
    SELECT specialist_id, channel, CASE channel WHEN 'email' THEN $1::int ELSE 1 END,
           CASE channel WHEN 'email' THEN $1 ELSE 1 END
    FROM specialist CROSS JOIN unnest(ARRAY['email', 'phone', 'chat']) AS channel
"""
_TICKETS: Final = """
    INSERT INTO ticket (
        ticket_id, account_id, role, channel, severity, language, time_zone, create_date, due_at,
        facts, specialist_id, assigned_count, declined_by, waiting, base_language,
        clocks, pool, rank_at, again_at)
    SELECT md5($1 || '/' || n)::uuid, 'account-' || n % 5000, 'super_admin', 'email', 'standard',
           language, 'UTC', created, due,
           jsonb_build_array(jsonb_build_object('kind', 'accepted', 'at', created, 'id',
               md5($1 || '/' || n)::uuid, 'channel', 'email', 'reopen_within', 'P30D')),
           held_by, (held_by IS NOT NULL)::int, '[]',
           held_by IS NULL, language,
           jsonb_build_object('first_response', jsonb_build_array(
               'first_response', 'guarantee', created, due, 3600, 'running')),
           jsonb_build_array('email', language, 0)::text, due, NULL
    FROM generate_series(0, $2::int - 1) AS n
    CROSS JOIN LATERAL (
        SELECT CASE WHEN n % 2 = 0 THEN 'en' ELSE ($3::text[])[1 + n % cardinality($3)] END,
               now() + n * interval '10 ms', now() + interval '1 hour' + n * interval '10 ms',
               CASE WHEN $4::int > 0 THEN 'specialist-' || n % $4 END
    ) AS drawn (language, created, due, held_by)
"""
_SETTLE: Final = "VACUUM (ANALYZE)"
_LANGUAGES: Final = ("de", "fr", "es", "ja", "pt", "it", "nl", "pl", "ko", "sv")


async def seed(dsn: str, *, specialists: int, queued: int) -> None:
    """Insert specialists without free capacity, and waiting tickets; as the owner."""
    connection = await asyncpg.connect(dsn)
    try:
        languages = [*_LANGUAGES]
        await connection.execute(_SPECIALISTS, specialists, languages, timeout=None)
        await connection.execute(_CAPACITIES, CAPACITY, timeout=None)
        held = specialists * CAPACITY
        await connection.execute(_TICKETS, "held", held, languages, specialists, timeout=None)
        await connection.execute(_TICKETS, "queued", queued, languages, 0, timeout=None)
        await connection.execute(_SETTLE, timeout=None)
    finally:
        await connection.close()
