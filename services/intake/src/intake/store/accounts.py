"""Every SQL statement about accounts: their versions, and the people of each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from secrets import token_bytes
from typing import Any, Final, Literal, NamedTuple

from intake.domain import Version, digests
from shared.events import EVERYONE, AccountListed
from shared.platform.postgres import Tx

__all__ = ["VERSIONS", "Listing", "save", "versions", "versions_of"]

_SALT_BYTES: Final = 16

LOCK_ACCOUNTS: Final = """
    SELECT pg_advisory_xact_lock_shared(hashtext('merge'), 0)
    UNION ALL
    SELECT pg_advisory_xact_lock(hashtext('account'), hashtext(account_id))
    FROM unnest($1::text[]) AS account_id
"""
SALTS: Final = """
    SELECT account_id, since, salt FROM account_version
    WHERE (account_id, since) IN (SELECT * FROM unnest($1::text[], $2::timestamptz[]))
"""
SAVE: Final = """
    INSERT INTO account_version (account_id, since, content, salt, parts_missing)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (account_id, since) DO UPDATE SET content = excluded.content, parts_missing = ARRAY(
        SELECT unnest(account_version.parts_missing) INTERSECT SELECT unnest(excluded.parts_missing)
    )
"""
CLEAR: Final = """
    DELETE FROM account_person
    WHERE (account_id, since) IN (SELECT * FROM unnest($1::text[], $2::timestamptz[]))
"""
SAVE_PEOPLE: Final = """
    INSERT INTO account_person (account_id, since, digest, super_admin)
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bytea[], $4::boolean[])
    ON CONFLICT (account_id, since, digest) DO UPDATE
    SET super_admin = account_person.super_admin OR excluded.super_admin
"""
DROP_UNFINISHED: Final = """
    DELETE FROM account_version AS old USING account_version AS new
    WHERE old.account_id = ANY($1) AND old.parts_missing <> '{}' AND new.parts_missing = '{}'
      AND new.account_id = old.account_id AND new.since > old.since
"""
LISTINGS: Final = """
    SELECT account_id, since, content, cardinality(parts_missing) AS missing,
           (SELECT count(*) FROM account_person AS p WHERE parts_missing = '{}'
            AND p.account_id = v.account_id AND p.since = v.since AND super_admin) AS super_admins,
           (SELECT count(*) FROM account_person AS p WHERE parts_missing = '{}'
            AND p.account_id = v.account_id AND p.since = v.since AND NOT super_admin) AS seats
    FROM account_version AS v
    WHERE (account_id, since) IN (SELECT * FROM unnest($1::text[], $2::timestamptz[]))
"""
VERSIONS: Final = """
    SELECT account_id, since, content, salt, super_admins, seats
    FROM account_version AS v, LATERAL (
        SELECT array_agg(encode(digest, 'hex')) FILTER (WHERE super_admin) AS super_admins,
               array_agg(encode(digest, 'hex')) FILTER (WHERE NOT super_admin) AS seats
        FROM unnest($1::text[], $2::text[]) AS wanted (wanted_in, person), account_person AS p
        WHERE wanted_in = v.account_id AND p.account_id = v.account_id AND p.since = v.since
          AND digest = sha256(v.salt || convert_to(person, 'UTF8'))) AS people
    WHERE account_id = ANY($1::text[]) AND parts_missing = '{}'
    ORDER BY account_id, since
"""
"""Selects all versions of accounts ($1), with only the given people ($2) of each account."""


class Listing(NamedTuple):
    """The saved state of an account version; it has effect once no part is missing."""

    account_id: str
    since: datetime
    missing: int
    super_admins: int
    seats: int | Literal["everyone"]


class _Parts(NamedTuple):
    """The parts of one account version in a batch: some of them, or all."""

    account: AccountListed
    missing: frozenset[int]
    people: dict[str, bool]
    """Names, and whether they are super admins."""


async def save(tx: Tx, listed: Sequence[tuple[datetime, AccountListed]]) -> list[Listing]:
    """Save account versions; return the state of each.

    It waits for transactions that decide requests by the earlier versions.
    """
    account_ids = sorted({account.account_id for _, account in listed})
    await tx.execute(LOCK_ACCOUNTS, account_ids)
    listings = _combine_parts(listed)
    key_columns = _columns([(account_id, since) for account_id, since in listings], 2)
    salts = {
        (row["account_id"], row["since"]): row["salt"]
        for row in await tx.fetch(SALTS, *key_columns)
    }
    salted = {key: salts.get(key) or token_bytes(_SALT_BYTES) for key in listings}
    rows = [
        (*key, _content(one.account), salted[key], sorted(one.missing))
        for key, one in listings.items()
    ]
    await tx.executemany(SAVE, rows)
    replaced = [key for key in listings if key in salts and listings[key].account.part is None]
    if replaced:
        await tx.execute(CLEAR, *_columns(replaced, 2))
    people = [
        (*key, digest, super_admin)
        for key, one in listings.items()
        for digest, super_admin in digests(one.people, salted[key]).items()
    ]
    if people:
        await tx.execute(SAVE_PEOPLE, *_columns(people, 4))
    await tx.execute(DROP_UNFINISHED, account_ids)
    return [_listing(row) for row in await tx.fetch(LISTINGS, *key_columns)]


async def versions(tx: Tx, wanted: Iterable[tuple[str, str]]) -> dict[str, list[Version]]:
    """Read all versions of accounts, oldest first; ``wanted`` is (account, person).

    Of the people of an account, the versions contain only the wanted ones.
    """
    return versions_of(await tx.fetch(VERSIONS, *_columns(sorted(set(wanted)), 2)))


def versions_of(rows: Iterable[Sequence[Any]]) -> dict[str, list[Version]]:
    """Make versions of rows, by account."""
    found: dict[str, list[Version]] = defaultdict(list)
    for account_id, since, content, salt, super_admins, seats in rows:
        account = _account(content)
        people: dict[str, object] = {"super_admins": frozenset(super_admins or ())}
        if account.seats != EVERYONE:
            people["seats"] = frozenset(seats or ())
        found[account_id].append(Version(since, account.model_copy(update=people), salt))
    return found


def _combine_parts(
    listed: Sequence[tuple[datetime, AccountListed]],
) -> dict[tuple[str, datetime], _Parts]:
    """Combine the parts of each account version, as far as they are in this batch."""
    found: dict[tuple[str, datetime], _Parts] = {}
    for since, account in listed:
        seats = () if isinstance(account.seats, str) else account.seats
        people = {**dict.fromkeys(seats, False), **dict.fromkeys(account.super_admins, True)}
        part = account.part
        missing = frozenset(range(1, part.of + 1)) - {part.number} if part else frozenset[int]()
        before = found.get((account.account_id, since))
        if before is not None and part is not None:
            missing &= before.missing
            people = {
                **before.people,
                **{p: a or before.people.get(p, a) for p, a in people.items()},
            }
        found[account.account_id, since] = _Parts(account, missing, people)
    return found


def _content(account: AccountListed) -> str:
    people: dict[str, object] = {"super_admins": frozenset(), "part": None}
    if account.seats != EVERYONE:
        people["seats"] = frozenset()
    return account.model_copy(update=people).model_dump_json()


def _listing(row: Any) -> Listing:  # noqa: ANN401 - a row
    everyone = _account(row["content"]).seats == EVERYONE
    seats = EVERYONE if everyone else row["seats"]
    return Listing(row["account_id"], row["since"], row["missing"], row["super_admins"], seats)


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    """Turn rows into columns, the form that `unnest` needs."""
    return [[row[n] for row in rows] for n in range(count)]


@lru_cache(maxsize=1000)
def _account(content: str) -> AccountListed:
    """Parse an account version; cached, because an account sends many requests."""
    return AccountListed.model_validate_json(content)
