"""SQL of offers, presence, offer rules and executed commands."""

from collections.abc import Collection, Iterable
from dataclasses import astuple
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.domain.assignment.state import AssignmentState
from router.domain.commands import CommandIdentity, CommandOutcome, ExecutedCommand
from router.domain.offers.offer import Offer
from router.domain.offers.rules import OfferRules, rules_of
from shared.basics.errors import Transient
from shared.events import Presence
from shared.platform.postgres import Tx

__all__ = [
    "find_offer",
    "load_presence_until",
    "load_rules",
    "offers",
    "outcome_of_repeated",
    "record_command",
    "renew_presence",
    "save_offers",
    "save_presence",
    "save_rules",
]

OFFER: Final = "SELECT * FROM offer WHERE offer_id = $1"
# Settled offers first, because the table allows one open offer for each ticket.
SAVE_OFFERS: Final = """
    INSERT INTO offer (
        offer_id, ticket_id, specialist_id, offered_at, lease_ends_at, state, settled_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (offer_id) DO UPDATE SET state = excluded.state, settled_at = excluded.settled_at
"""
SAVE_PRESENCE: Final = """
    INSERT INTO presence (specialist_id, said, presence_until)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
    ON CONFLICT (specialist_id) DO UPDATE
    SET said = excluded.said, presence_until = excluded.presence_until
"""
# A presence lapses only if no heartbeat has renewed it since it was loaded.
SAVE_LAPSED: Final = """
    UPDATE presence AS p SET said = 'offline', presence_until = NULL
    FROM unnest($1::text[], $2::timestamptz[]) AS lapsed (specialist_id, presence_until)
    WHERE (p.specialist_id, p.presence_until) = (lapsed.specialist_id, lapsed.presence_until)
"""
# Being away is not stored in `presence`: heartbeats write it, and must not undo a command.
SAVE_AVAILABILITY: Final = """
    UPDATE specialist AS s
    SET away = new.away, unanswered = new.unanswered, turns_at = new.turns_at
    FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[])
        AS new (specialist_id, away, unanswered, turns_at)
    WHERE s.specialist_id = new.specialist_id
"""
PRESENCE_UNTIL: Final = """
    SELECT specialist_id, presence_until FROM presence
    WHERE specialist_id = ANY($1) AND presence_until IS NOT NULL
"""
RENEW_PRESENCE: Final = """
    UPDATE presence SET presence_until = $4
    WHERE specialist_id = $1 AND said = coalesce($2, said) AND presence_until > $3
"""
RULES: Final = "SELECT document FROM rules"
SAVE_RULES: Final = """
    INSERT INTO rules (document) VALUES ($1)
    ON CONFLICT (only_one) DO UPDATE SET document = excluded.document
"""
RECORD_COMMAND: Final = """
    INSERT INTO act (
        kind, subject, actor, at, from_id, to_id, reason, ticket_id, outcome, specialist_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
OUTCOME_OF_REPEATED: Final = """
    SELECT ticket_id, outcome, specialist_id FROM act
    WHERE subject = $1 AND kind = $2 AND actor = $3 AND at > $4
      AND ($5::text IS NULL OR from_id = $5) AND ($6::text IS NULL OR to_id = $6)
    ORDER BY act_id DESC LIMIT 1
"""
OFFERS: Final = """
    SELECT offer_id, ticket_id, o.specialist_id, offered_at, lease_ends_at, account_id, channel,
           language, coalesce(reclassified_to, severity) AS severity, due_at
    FROM offer AS o JOIN ticket USING (ticket_id)
    WHERE o.state = 'open' AND o.specialist_id = $1 ORDER BY lease_ends_at, offer_id
"""


async def find_offer(tx: Tx, offer_id: UUID) -> Offer | None:
    """Return an offer, open or settled."""
    row = await tx.fetchrow(OFFER, offer_id)
    return None if row is None else Offer(**row)


async def save_offers(tx: Tx, changed: Iterable[Offer]) -> None:
    """Save offers."""
    settled_first = sorted(changed, key=lambda offer: offer.state == "open")
    await tx.executemany(SAVE_OFFERS, [astuple(offer) for offer in settled_first])


async def save_presence(tx: Tx, state: AssignmentState) -> None:
    """Save reported and lapsed presences, and who is away.

    Raises:
        Transient: a heartbeat has renewed a presence that was about to lapse.
    """
    if reported := [state.specialist(name) for name in sorted(state.presence_reported)]:
        columns = zip(
            *((p.specialist_id, p.reported_presence, p.presence_until) for p in reported),
            strict=True,
        )
        await tx.execute(SAVE_PRESENCE, *columns)
    if lapsed := sorted(state.presence_lapsed.keys() - state.presence_reported):
        done = await tx.execute(
            SAVE_LAPSED, lapsed, [state.presence_lapsed[name] for name in lapsed]
        )
        if done != f"UPDATE {len(lapsed)}":
            raise Transient("a specialist has just renewed their presence; decide again")
    if changed := [state.specialist(name) for name in sorted(state.availability_changed)]:
        rows = ((p.specialist_id, p.away, p.unanswered, p.turns_at) for p in changed)
        await tx.execute(SAVE_AVAILABILITY, *zip(*rows, strict=True))


async def renew_presence(
    tx: Tx,
    specialist_id: str,
    reported_presence: Presence | None,
    *,
    now: datetime,
    until: datetime,
) -> bool:
    """Renew a reported presence; return False if another was reported, or it has lapsed.

    With ``reported_presence`` None, any presence is renewed.
    """
    return (
        await tx.execute(RENEW_PRESENCE, specialist_id, reported_presence, now, until) == "UPDATE 1"
    )


async def load_presence_until(tx: Tx, specialist_ids: Collection[str]) -> dict[str, datetime]:
    """Return when the presences of some specialists lapse, as renewed by heartbeats."""
    rows = await tx.fetch(PRESENCE_UNTIL, specialist_ids) if specialist_ids else ()
    return {row["specialist_id"]: row["presence_until"] for row in rows}


async def load_rules(tx: Tx) -> OfferRules:
    """Return the rules in force."""
    return rules_of(await tx.fetchval(RULES))


async def save_rules(tx: Tx, rules: OfferRules) -> None:
    """Put rules in force."""
    await tx.execute(SAVE_RULES, rules.model_dump_json())


async def record_command(tx: Tx, done: ExecutedCommand, *, at: datetime) -> None:
    """Store an executed command."""
    identity, outcome = done.identity, done.outcome
    await tx.execute(
        RECORD_COMMAND,
        *(
            identity.kind,
            identity.subject,
            identity.actor,
            at,
            identity.from_id,
            identity.to_id,
            done.reason,
        ),
        *(outcome.ticket_id, outcome.outcome, outcome.specialist_id),
    )


async def outcome_of_repeated(
    tx: Tx, identity: CommandIdentity, *, since: datetime
) -> CommandOutcome | None:
    """Return the outcome of the same command by the same person after ``since``, if any."""
    row = await tx.fetchrow(
        OUTCOME_OF_REPEATED,
        identity.subject,
        identity.kind,
        identity.actor,
        since,
        identity.from_id,
        identity.to_id,
    )
    return None if row is None else CommandOutcome(**row)


async def offers(tx: Tx, specialist_id: str) -> list[dict[str, Any]]:
    """Return a specialist's open offers, the earliest end of a lease first."""
    return [dict(row) for row in await tx.fetch(OFFERS, specialist_id)]
