"""Receipts on a real PostgreSQL: the answers to documents by HTTP and by Kafka."""

import asyncio
import json
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from tests.integration.intake.conftest import KEYS, REQUEST, Intake, listed

from intake import handlers
from intake.handlers import InvalidRecord, decode
from shared.events import ClockPaused, ClockResumed, Envelope, Event
from shared.events.codec import Record
from shared.platform import dead_letters
from shared.testing.builders import NOON, a_clock, an_account

FACT: Final[dict[str, Any]] = {
    "source": "app-form",
    "external_id": "A-1",
    "type": "responded",
    "occurred_at": "2026-03-02T12:10:00Z",
}


async def test_a_receipt_has_promises_and_their_origin(intake: Intake) -> None:
    """Class, target, due time and its spans; policy, rule, purchase and language."""
    receipt = await intake.post_request()
    (promise,) = receipt["promises"]
    assert (promise["promise_class"], promise["target_s"]) == ("guarantee", 3600)
    assert promise["spans"] == [{"since": "2026-03-02T12:00:00Z", "until": promise["due_at"]}]
    assert receipt["policy"]
    assert receipt["rule"] == "super-admin-standard"
    assert receipt["entitlement"] == {"since": "2020-01-01T00:00:00Z", "until": None}
    assert receipt["language"]["by"] == "sender"


@pytest.mark.parametrize(
    ("record", "due_at", "paused"),
    [
        (a_clock(ClockResumed, "T1", due_min=90), "2026-03-02T13:30:00Z", False),
        (a_clock(ClockPaused, "T1"), None, True),
    ],
)
async def test_a_receipt_read_later_has_the_current_due_time(
    intake: Intake, record: Envelope[Event], due_at: str | None, *, paused: bool
) -> None:
    """Receipt and ticket have the clock's due time; the published receipt does not change."""
    ticket_id = UUID((await intake.post_request())["ticket_id"])
    event = record.event.model_copy(update={"ticket_id": ticket_id})
    await intake.consume(replace(record, event=event))
    (receipt,) = (await intake.receipt())["promises"]
    (ticket,) = (await intake.client.get(f"/v1/tickets/{ticket_id}")).json()["promises"]
    for promise in (receipt, ticket):
        assert (promise["due_at"], promise.get("paused", False)) == (due_at, paused)
    (published,) = (await intake.announced("receipts.v1"))[0]["promises"]
    assert published["due_at"] == "2026-03-02T13:00:00Z"


async def test_the_spans_of_a_business_day_leave_the_night_out(intake: Intake) -> None:
    """An objective of eight business hours from Monday noon is due on Tuesday noon."""
    receipt = await intake.post_request(requester_id="bob")
    (promise,) = receipt["promises"]
    assert promise["spans"] == [
        {"since": "2026-03-02T12:00:00Z", "until": "2026-03-02T17:00:00Z"},
        {"since": "2026-03-03T09:00:00Z", "until": "2026-03-03T12:00:00Z"},
    ]


async def test_the_accounts_language_is_the_fallback(intake: Intake) -> None:
    """The receipt states that the language is the account's."""
    await intake.consume(listed(an_account(language="de"), at=NOON))
    receipt = await intake.post_request(language=None, subject="", body="")
    assert (receipt["language"]["language"], receipt["language"]["by"]) == ("de", "account")


async def test_a_receipt_is_returned_saved_and_announced(intake: Intake) -> None:
    """The response, the stored receipt and the announced one are the same."""
    receipt = await intake.post_request()
    assert await intake.receipt() == receipt
    (announced,) = await intake.announced("receipts.v1")
    assert announced.items() <= receipt.items()


async def test_a_hundred_copies_make_one_ticket(intake: Intake) -> None:
    """The first is accepted; all get the same promises."""
    answers = await asyncio.gather(*(intake.post_request() for _ in range(100)))
    outcomes = sorted(answer["outcome"] for answer in answers)
    assert outcomes == ["accepted", *["duplicate"] * 99]
    assert len({json.dumps(answer["promises"]) for answer in answers}) == 1
    assert len(await intake.announced("tickets.v1")) == 1


async def test_another_request_with_the_same_id_is_a_duplicate(intake: Intake) -> None:
    """The first request counts; the receipt states that the content differs."""
    await intake.post_request()
    answer = await intake.post_request(subject="Something else")
    assert (answer["outcome"], answer["reason"]) == ("duplicate", "other_content")


async def test_a_duplicate_by_kafka_gets_a_receipt(intake: Intake) -> None:
    """Each record gets a receipt, in one batch or in two; there is one ticket."""
    await intake.consume_documents(REQUEST, REQUEST)
    await intake.consume_documents(REQUEST)
    outcomes = [receipt["outcome"] for receipt in await intake.announced("receipts.v1")]
    assert sorted(outcomes) == ["accepted", "duplicate", "duplicate"]
    assert len(await intake.announced("tickets.v1")) == 1


async def test_a_later_fact_gets_a_receipt(intake: Intake) -> None:
    """It may arrive before its request; a copy is a duplicate."""
    for outcome in ("accepted", "duplicate"):
        answer = (await intake.client.post("/v1/events", json=FACT)).json()
        assert (answer["outcome"], answer["document"]) == (outcome, "responded")


def record(**changes: object) -> Record:
    """Make a record of a request on the inbound topic."""
    return Record("inbound.v1", 0, 7, None, json.dumps({**REQUEST, **changes}).encode(), [])


async def test_an_invalid_document_with_source_and_id_is_answered(intake: Intake) -> None:
    """It is also parked, byte for byte."""
    item = decode(record(channel="fax"))
    assert isinstance(item, InvalidRecord)
    async with intake.db.transaction() as tx:
        await handlers.handle_batch(tx, [item], NOON, keys=KEYS)
    (receipt,) = await intake.announced("receipts.v1")
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "bad_data")
    assert "channel" in receipt["remedy"]
    async with intake.db.session() as session:
        (dead_letter,) = await dead_letters.all_parked(session)
    assert (dead_letter.value, dead_letter.offset) == (item.record.value, 7)


async def test_each_of_a_batch_is_answered_on_its_own(intake: Intake) -> None:
    """An invalid one in the middle does not affect the others."""
    tickets = [{**REQUEST, "external_id": f"B-{n}"} for n in range(3)]
    tickets[1]["channel"] = "fax"
    answer = await intake.client.post("/v1/tickets:batch", json={"tickets": tickets})
    answers = answer.json()["answers"]
    assert [a["position"] for a in answers] == [0, 1, 2]
    assert [bool(a["receipt"]) for a in answers] == [True, False, True]
    assert "channel" in answers[1]["fault"]


async def test_a_batch_of_more_than_a_hundred_is_refused(intake: Intake) -> None:
    """None of its requests is accepted."""
    tickets = [{**REQUEST, "external_id": f"B-{n}"} for n in range(101)]
    answer = await intake.client.post("/v1/tickets:batch", json={"tickets": tickets})
    assert answer.status_code == 422
    assert await intake.announced("tickets.v1") == []


async def test_a_receipt_of_an_unknown_request_is_not_found(intake: Intake) -> None:
    """The response names the request."""
    answer = await intake.client.get("/v1/receipts/app-form/never")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")
    assert "never" in answer.json()["detail"]


async def test_a_requester_is_erased_from_tickets(intake: Intake) -> None:
    """Identity and texts are deleted, each ticket is announced as erased; others are unchanged."""
    receipt = await intake.post_request(body="Nobody can log in")
    await intake.post_request(external_id="A-2", requester_id="bob", body="Nor can I")
    answer = await intake.client.delete("/v1/subjects/app-form/ada")
    assert answer.json() == {"tickets": 1}
    async with intake.db.session() as session:
        rows = await session.fetch("SELECT requester_id, body FROM ticket ORDER BY external_id")
    assert [tuple(row) for row in rows] == [("", ""), ("bob", "Nor can I")]
    erased = [fact for fact in await intake.announced("tickets.v1") if len(fact) == 1]
    assert erased == [{"ticket_id": receipt["ticket_id"]}]


async def test_a_held_request_is_erased(empty_intake: Intake) -> None:
    """It does not become a ticket when its account is listed later."""
    await empty_intake.post_request()
    await empty_intake.client.delete("/v1/subjects/app-form/ada")
    await empty_intake.consume(listed())
    assert await empty_intake.announced("tickets.v1") == []


async def test_without_a_tag_the_language_is_detected(intake: Intake) -> None:
    """The receipt states this, with the confidence."""
    body = "Seit heute Morgen kann sich niemand in unserer Firma anmelden."
    language = (await intake.post_request(language=None, body=body))["language"]
    assert (language["language"], language["by"]) == ("de", "detected")
    assert language["confidence"] > 0.8


async def test_the_evidence_for_a_claim_does_not_decide_on_it(intake: Intake) -> None:
    """The receipt has the positions of evidence for and against it, without any of the text."""
    body = "All of our users cannot log in since this morning. It is a cosmetic problem for me."
    receipt = await intake.post_request(severity="business_critical", body=body)
    assert receipt["severity"] == "business_critical"
    assert [e["criterion"] for e in receipt["reading"]["speaks_for"]] == ["login_blocked"]
    assert receipt["reading"]["speaks_against"]
    (announced,) = await intake.announced("receipts.v1")
    assert "log in" not in json.dumps(announced)


async def test_each_reading_of_details_is_recorded(intake: Intake) -> None:
    """With the tenant that read them; an attempt to read an unknown ticket is not recorded."""
    receipt = await intake.post_request(body="Nobody can log in")
    answer = await intake.client.get(f"/v1/tickets/{receipt['ticket_id']}/details")
    assert (answer.json()["requester_id"], answer.json()["body"]) == ("ada", "Nobody can log in")
    nothing = await intake.client.get(f"/v1/tickets/{uuid4()}/details")
    assert nothing.status_code == 404
    async with intake.db.session() as session:
        (read,) = await session.fetch("SELECT ticket_id::text, tenant FROM details_read")
    assert tuple(read) == (receipt["ticket_id"], "northwind")
