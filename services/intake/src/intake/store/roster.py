"""Every SQL statement about the roster."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.platform.postgres import Tx

__all__ = ["save_specialists"]

# Changes of the roster run one after another: each computes the languages of all specialists.
LOCK_ROSTER: Final = "SELECT pg_advisory_xact_lock(hashtext('roster'), 0)"
SAVE_SPECIALIST: Final = """
    INSERT INTO specialist (specialist_id, languages, listed_at) VALUES ($1, $2, $3)
    ON CONFLICT (specialist_id) DO UPDATE
    SET languages = excluded.languages, listed_at = excluded.listed_at
    WHERE specialist.listed_at <= excluded.listed_at
"""
SAVE_SERVED_LANGUAGES: Final = """
    WITH spoken AS (SELECT DISTINCT unnest(languages) AS language FROM specialist),
    gone AS (DELETE FROM served_language WHERE language NOT IN (SELECT language FROM spoken))
    INSERT INTO served_language SELECT language FROM spoken ON CONFLICT DO NOTHING
"""


async def save_specialists(tx: Tx, listed: Sequence[tuple[str, Sequence[str], datetime]]) -> None:
    """Save (specialist, languages, event time); an entry older than the saved one is ignored."""
    await tx.execute(LOCK_ROSTER)
    await tx.executemany(SAVE_SPECIALIST, listed)
    await tx.execute(SAVE_SERVED_LANGUAGES)
