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

CHANGE_ACCOUNTS: Final = """
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
STAND: Final = """
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
        FROM unnest($1::text[], $2::text[]) AS asked (asked_of, person), account_person AS p
        WHERE asked_of = v.account_id AND p.account_id = v.account_id AND p.since = v.since
          AND digest = sha256(v.salt || convert_to(person, 'UTF8'))) AS people
    WHERE account_id = ANY($1::text[]) AND parts_missing = '{}'
    ORDER BY account_id, since
"""
"""Of the people only those who are asked about, each beside the account of which it is asked."""


class Listing(NamedTuple):
    """How an account as told from ``since`` on stands; its people count once no part is missing."""

    account_id: str
    since: datetime
    missing: int
    super_admins: int
    seats: int | Literal["everyone"]


class _Told(NamedTuple):
    """What a transaction is told of one listing: some of its parts, or all at once."""

    account: AccountListed
    missing: frozenset[int]
    people: dict[str, bool]
    """Names, and whether they are super admins."""


async def save(tx: Tx, told: Sequence[tuple[datetime, AccountListed]]) -> list[Listing]:
    """Keep listings, once nobody judges by what was told before; how each stands comes back."""
    account_ids = sorted({account.account_id for _, account in told})
    await tx.execute(CHANGE_ACCOUNTS, account_ids)
    listings = _together(told)
    places = _columns([(account_id, since) for account_id, since in listings], 2)
    salts = {
        (row["account_id"], row["since"]): row["salt"] for row in await tx.fetch(SALTS, *places)
    }
    salted = {place: salts.get(place) or token_bytes(_SALT_BYTES) for place in listings}
    rows = [
        (*place, _content(one.account), salted[place], sorted(one.missing))
        for place, one in listings.items()
    ]
    await tx.executemany(SAVE, rows)
    again = [p for p in listings if p in salts and listings[p].account.part is None]
    if again:
        await tx.execute(CLEAR, *_columns(again, 2))
    people = [
        (*place, digest, super_admin)
        for place, one in listings.items()
        for digest, super_admin in digests(one.people, salted[place]).items()
    ]
    if people:
        await tx.execute(SAVE_PEOPLE, *_columns(people, 4))
    await tx.execute(DROP_UNFINISHED, account_ids)
    return [_listing(row) for row in await tx.fetch(STAND, *places)]


async def versions(tx: Tx, asked: Iterable[tuple[str, str]]) -> dict[str, list[Version]]:
    """Read all versions of some accounts, oldest first, as they concern who asks."""
    return versions_of(await tx.fetch(VERSIONS, *_columns(sorted(set(asked)), 2)))


def versions_of(rows: Iterable[Sequence[Any]]) -> dict[str, list[Version]]:
    """Make versions of rows."""
    found: dict[str, list[Version]] = defaultdict(list)
    for account_id, since, content, salt, super_admins, seats in rows:
        account = _account(content)
        people: dict[str, object] = {"super_admins": frozenset(super_admins or ())}
        if account.seats != EVERYONE:
            people["seats"] = frozenset(seats or ())
        found[account_id].append(Version(since, account.model_copy(update=people), salt))
    return found


def _together(
    told: Sequence[tuple[datetime, AccountListed]],
) -> dict[tuple[str, datetime], _Told]:
    """Put the parts of a listing together, as far as they came in one transaction."""
    found: dict[tuple[str, datetime], _Told] = {}
    for since, account in told:
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
        found[account.account_id, since] = _Told(account, missing, people)
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
    """Turn rows into columns, as `unnest` takes them."""
    return [[row[n] for row in rows] for n in range(count)]


@lru_cache(maxsize=1000)
def _account(content: str) -> AccountListed:
    """Read a version once: an account asks often."""
    return AccountListed.model_validate_json(content)
