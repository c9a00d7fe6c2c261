"""Erasure: not one byte of a person is left, whatever was kept of them and whatever comes again."""

import asyncio
import json
from typing import Any, Final

from tests.integration.intake.conftest import KEYS, REQUEST, Intake, as_told, listed

from intake import erasure, service
from intake.domain import receipts
from shared.events import Purchase
from shared.platform.postgres import Database
from shared.testing.builders import NOON, an_account

WHO: Final = "who-canary@example.com"
CANARY: Final = {
    "requester_id": WHO,
    "subject": "subject-canary",
    "body": "body-canary: no login",
    "phone_number": "+49301234567",
}
CANARIES: Final = (WHO, "subject-canary", "body-canary", "+49301234567")
KEYED: Final = {"idempotency-key": f"form-of-{WHO}"}
KEYED_BATCH: Final = {"idempotency-key": f"batch-of-{WHO}"}
TABLES: Final = "SELECT relname FROM pg_stat_user_tables ORDER BY relname"
ROW: Final = "SELECT t::text AS row FROM {} AS t"
BYTES: Final = """
    SELECT convert_from(coalesce(key, '') || ' ' || coalesce(value, ''), 'LATIN1') AS row
    FROM outbox
"""
COUNTS: Final = "SELECT count(*), sum(jsonb_array_length(promises)) FROM ticket"
HOLD: Final = "SELECT content FROM request WHERE outcome = 'held' FOR UPDATE"


async def found(db: Database, *canaries: str) -> set[tuple[str, str]]:
    """Search every row of every table; records in the outbox are read as they will be sent."""
    hits = set()
    async with db.session() as session:
        tables = [row["relname"] for row in await session.fetch(TABLES)]
        queries = {table: ROW.format(table) for table in tables} | {"outbox bytes": BYTES}
        for table, query in queries.items():
            text = "\n".join(row["row"] for row in await session.fetch(query))
            hits |= {(table, canary) for canary in canaries or CANARIES if canary in text}
    return hits


async def erased(intake: Intake, who: str = WHO) -> int:
    """Have somebody erased; the number of tickets comes back."""
    answer = await intake.client.delete(f"/v1/subjects/app-form/{who}")
    assert answer.status_code == 200, answer.text
    tickets: int = answer.json()["tickets"]
    return tickets


async def counts(db: Database) -> Any:  # noqa: ANN401 - a row
    """Count tickets and promises."""
    async with db.session() as session:
        return tuple(*await session.fetch(COUNTS))


async def test_not_a_byte_of_a_person_is_left(stranger: Intake) -> None:
    """Nor was a byte of them ever announced, or kept of the account's people."""
    bought = (Purchase(since=NOON),)
    admins = an_account(super_admins=frozenset({WHO}), seats=frozenset({WHO, "ada"}))
    await stranger.take(
        listed(admins), listed(an_account(account_id="acme", purchases=bought, seats=frozenset()))
    )
    asked = {**REQUEST, **CANARY}
    await stranger.client.post("/v1/tickets", json=asked, headers=KEYED)
    batch = {"tickets": [{**asked, "external_id": "A-2"}, {**asked, "channel": "fax"}]}
    await stranger.client.post("/v1/tickets:batch", json=batch, headers=KEYED_BATCH)
    await stranger.ask(**CANARY, external_id="held", account_id="nobody-knows")
    rejected = await stranger.ask(**CANARY, external_id="rejected", account_id="acme")
    assert rejected["reason"] == "no_seat"
    await stranger.ask(external_id="ada's")
    assert {table for table, _ in await found(stranger.db)} == {"ticket", "request"}
    searched = {"outbox bytes", "answer", "account_version"}
    assert searched <= {table for table, _ in await found(stranger.db, "northwind", "A-1")}
    before = await counts(stranger.db)
    assert await erased(stranger) == 2
    assert await found(stranger.db) == set()
    assert await counts(stranger.db) == before == (3, before[1])
    assert (await stranger.receipt("ada's"))["outcome"] == "accepted"


async def test_what_is_sent_again_brings_nothing_back(stranger: Intake) -> None:
    """Accepted, held or with its Idempotency-Key: a copy is answered, and is not kept."""
    await stranger.take(listed(an_account(super_admins=frozenset({WHO}))))
    first = {**REQUEST, **CANARY}
    held = {**first, "external_id": "held", "account_id": "late"}
    for document in (first, held):
        await stranger.client.post("/v1/tickets", json=document, headers={"idempotency-key": "k"})
    await stranger.ask(**{**CANARY, "external_id": "held", "account_id": "late"})
    await erased(stranger)
    for document in (first, held):
        await stranger.client.post("/v1/tickets", json=document, headers={"idempotency-key": "k"})
    await stranger.take_documents(first, held)
    await stranger.take(listed(an_account(account_id="late", super_admins=frozenset({WHO}))))
    assert await found(stranger.db) == set()
    assert await erased(stranger) == 0


async def test_a_held_request_is_answered_that_it_was_erased(stranger: Intake) -> None:
    """It is rejected, on receipts.v1 and for whoever asks; its account makes no ticket of it."""
    await stranger.ask()
    await erased(stranger, "ada")
    await stranger.take(listed())
    last = (await stranger.said("receipts.v1"))[-1]
    assert (last["outcome"], last["reason"], last["held_until"]) == ("rejected", "erased", None)
    assert (await stranger.receipt())["reason"] == "erased"
    assert await stranger.said("tickets.v1") == []


async def test_a_request_that_becomes_a_ticket_meanwhile_is_erased(stranger: Intake) -> None:
    """Who erases waits for who judges, and then sees the ticket."""
    await stranger.ask(body="body-canary")
    async with stranger.db.transaction() as judging, stranger.db.transaction() as erasing:
        await judging.fetch(HOLD)
        task = asyncio.create_task(erasure.erase(erasing, "app-form", "ada", NOON))
        await service.list_accounts(judging, [as_told(listed())], NOON, KEYS)
        await judging.execute("COMMIT; BEGIN")
        assert await task == 1
    assert await found(stranger.db) == set()


def test_an_erased_receipt_says_how_to_ask_anew() -> None:
    """By a name of its own, for the old one is taken."""
    receipt = receipts.bad("app-form", "A-1", "x")
    assert "another external_id" in (receipts.erased(receipt).remedy or "")
    assert json.loads(receipts.erased(receipt).model_dump_json())["reason"] == "erased"
