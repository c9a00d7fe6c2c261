"""Erasure: nothing of a requester is left in any table, and nothing is stored again."""

import asyncio
import json
from typing import Any, Final

from tests.integration.intake.conftest import KEYS, REQUEST, Intake, as_account_record, listed

from intake import erasure, service
from intake.domain import receipts
from shared.events import Purchase
from shared.platform.postgres import Database
from shared.testing.builders import NOON, an_account

REQUESTER: Final = "requester-canary@example.com"
CANARY: Final = {
    "requester_id": REQUESTER,
    "subject": "subject-canary",
    "body": "body-canary: no login",
    "phone_number": "+49301234567",
}
CANARIES: Final = (REQUESTER, "subject-canary", "body-canary", "+49301234567")
KEYED: Final = {"idempotency-key": f"form-of-{REQUESTER}"}
KEYED_BATCH: Final = {"idempotency-key": f"batch-of-{REQUESTER}"}
TABLES: Final = "SELECT relname FROM pg_stat_user_tables ORDER BY relname"
ROW: Final = "SELECT t::text AS row FROM {} AS t"
BYTES: Final = """
    SELECT convert_from(coalesce(key, '') || ' ' || coalesce(value, ''), 'LATIN1') AS row
    FROM outbox
"""
COUNTS: Final = "SELECT count(*), sum(jsonb_array_length(promises)) FROM ticket"
HOLD: Final = "SELECT content FROM request WHERE outcome = 'held' FOR UPDATE"


async def found(db: Database, *canaries: str) -> set[tuple[str, str]]:
    """Search every row of every table, and the outbox as it will be sent; return the hits."""
    hits = set()
    async with db.session() as session:
        tables = [row["relname"] for row in await session.fetch(TABLES)]
        queries = {table: ROW.format(table) for table in tables} | {"outbox bytes": BYTES}
        for table, query in queries.items():
            text = "\n".join(row["row"] for row in await session.fetch(query))
            hits |= {(table, canary) for canary in canaries or CANARIES if canary in text}
    return hits


async def erased(intake: Intake, requester_id: str = REQUESTER) -> int:
    """Erase a requester by the API; return the number of tickets."""
    answer = await intake.client.delete(f"/v1/subjects/app-form/{requester_id}")
    assert answer.status_code == 200, answer.text
    tickets: int = answer.json()["tickets"]
    return tickets


async def counts(db: Database) -> Any:  # noqa: ANN401 - a row
    """Count tickets and promises."""
    async with db.session() as session:
        return tuple(*await session.fetch(COUNTS))


async def test_no_byte_of_a_requester_is_left(empty_intake: Intake) -> None:
    """Their data was only in two tables, never in the outbox or among the account's people."""
    bought = (Purchase(since=NOON),)
    admins = an_account(super_admins=frozenset({REQUESTER}), seats=frozenset({REQUESTER, "ada"}))
    await empty_intake.consume(
        listed(admins), listed(an_account(account_id="acme", purchases=bought, seats=frozenset()))
    )
    asked = {**REQUEST, **CANARY}
    await empty_intake.client.post("/v1/tickets", json=asked, headers=KEYED)
    batch = {"tickets": [{**asked, "external_id": "A-2"}, {**asked, "channel": "fax"}]}
    await empty_intake.client.post("/v1/tickets:batch", json=batch, headers=KEYED_BATCH)
    await empty_intake.post_request(**CANARY, external_id="held", account_id="unknown")
    rejected = await empty_intake.post_request(**CANARY, external_id="rejected", account_id="acme")
    assert rejected["reason"] == "no_seat"
    await empty_intake.post_request(external_id="ada's")
    assert {table for table, _ in await found(empty_intake.db)} == {"ticket", "request"}
    searched = {"outbox bytes", "idempotency_key", "account_version"}
    assert searched <= {table for table, _ in await found(empty_intake.db, "northwind", "A-1")}
    before = await counts(empty_intake.db)
    assert await erased(empty_intake) == 2
    assert await found(empty_intake.db) == set()
    assert await counts(empty_intake.db) == before == (3, before[1])
    assert (await empty_intake.receipt("ada's"))["outcome"] == "accepted"


async def test_a_repeated_request_is_not_stored_again(empty_intake: Intake) -> None:
    """A copy of an erased request is answered, but its content is not saved."""
    await empty_intake.consume(listed(an_account(super_admins=frozenset({REQUESTER}))))
    first = {**REQUEST, **CANARY}
    held = {**first, "external_id": "held", "account_id": "late"}
    for document in (first, held):
        await empty_intake.client.post(
            "/v1/tickets", json=document, headers={"idempotency-key": "k"}
        )
    await empty_intake.post_request(**{**CANARY, "external_id": "held", "account_id": "late"})
    await erased(empty_intake)
    for document in (first, held):
        await empty_intake.client.post(
            "/v1/tickets", json=document, headers={"idempotency-key": "k"}
        )
    await empty_intake.consume_documents(first, held)
    await empty_intake.consume(
        listed(an_account(account_id="late", super_admins=frozenset({REQUESTER})))
    )
    assert await found(empty_intake.db) == set()
    assert await erased(empty_intake) == 0


async def test_an_erased_held_request_is_rejected(empty_intake: Intake) -> None:
    """Its new receipt is announced and stored; the account does not make a ticket of it."""
    await empty_intake.post_request()
    await erased(empty_intake, "ada")
    await empty_intake.consume(listed())
    last = (await empty_intake.announced("receipts.v1"))[-1]
    assert (last["outcome"], last["reason"], last["held_until"]) == ("rejected", "erased", None)
    assert (await empty_intake.receipt())["reason"] == "erased"
    assert await empty_intake.announced("tickets.v1") == []


async def test_a_request_that_becomes_a_ticket_meanwhile_is_erased(empty_intake: Intake) -> None:
    """An erasure waits for a concurrent decision, and then finds the ticket."""
    await empty_intake.post_request(body="body-canary")
    async with empty_intake.db.transaction() as deciding, empty_intake.db.transaction() as erasing:
        await deciding.fetch(HOLD)
        task = asyncio.create_task(erasure.erase(erasing, "app-form", "ada", NOON))
        await service.list_accounts(deciding, [as_account_record(listed())], NOON, KEYS)
        await deciding.execute("COMMIT; BEGIN")
        assert await task == 1
    assert await found(empty_intake.db) == set()


def test_an_erased_receipt_has_a_remedy() -> None:
    """A new request needs another external id, because the old one is used."""
    receipt = receipts.unreadable("app-form", "A-1", "x")
    assert "another external_id" in (receipts.erased(receipt).remedy or "")
    assert json.loads(receipts.erased(receipt).model_dump_json())["reason"] == "erased"
