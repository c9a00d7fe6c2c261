"""Every SQL statement about the roster."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.platform.postgres import Tx

__all__ = ["save_specialists"]

# Whoever changes the roster waits for whoever does: each adds up what all before it have told.
CHANGE_ROSTER: Final = "SELECT pg_advisory_xact_lock(hashtext('roster'), 0)"
SAVE_SPECIALIST: Final = """
    INSERT INTO specialist (specialist_id, languages, listed_at) VALUES ($1, $2, $3)
    ON CONFLICT (specialist_id) DO UPDATE
    SET languages = excluded.languages, listed_at = excluded.listed_at
    WHERE specialist.listed_at <= excluded.listed_at
"""
ADD_UP_LANGUAGES: Final = """
    WITH told AS (SELECT DISTINCT unnest(languages) AS language FROM specialist),
    gone AS (DELETE FROM served_language WHERE language NOT IN (SELECT language FROM told))
    INSERT INTO served_language SELECT language FROM told ON CONFLICT DO NOTHING
"""


async def save_specialists(tx: Tx, listed: Sequence[tuple[str, Sequence[str], datetime]]) -> None:
    """Keep in what languages specialists answer, as of when; what is older changes nothing."""
    await tx.execute(CHANGE_ROSTER)
    await tx.executemany(SAVE_SPECIALIST, listed)
    await tx.execute(ADD_UP_LANGUAGES)
