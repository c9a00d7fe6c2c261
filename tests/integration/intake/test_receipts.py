"""Receipts on a real PostgreSQL: what upstream is told, by every door."""

import asyncio
import json
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from tests.integration.intake.conftest import KEYS, REQUEST, Intake, listed

from intake import handlers
from intake.handlers import Refused, decode
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


async def test_a_receipt_says_what_was_promised_and_by_what(intake: Intake) -> None:
    """Class, target, due time, the spans that make it up, and every version behind it."""
    receipt = await intake.ask()
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
async def test_what_is_read_back_is_due_when_the_clock_says(
    intake: Intake, record: Envelope[Event], due_at: str | None, *, paused: bool
) -> None:
    """The receipt and the ticket show the same; what was answered at first stays as published."""
    ticket_id = UUID((await intake.ask())["ticket_id"])
    event = record.event.model_copy(update={"ticket_id": ticket_id})
    await intake.take(replace(record, event=event))
    (receipt,) = (await intake.receipt())["promises"]
    (ticket,) = (await intake.client.get(f"/v1/tickets/{ticket_id}")).json()["promises"]
    for promise in (receipt, ticket):
        assert (promise["due_at"], promise.get("paused", False)) == (due_at, paused)
    (published,) = (await intake.said("receipts.v1"))[0]["promises"]
    assert published["due_at"] == "2026-03-02T13:00:00Z"


async def test_the_spans_of_a_business_day_leave_the_night_out(intake: Intake) -> None:
    """An objective of eight business hours from Monday noon is due on Tuesday noon."""
    receipt = await intake.ask(requester_id="bob")
    (promise,) = receipt["promises"]
    assert promise["spans"] == [
        {"since": "2026-03-02T12:00:00Z", "until": "2026-03-02T17:00:00Z"},
        {"since": "2026-03-03T09:00:00Z", "until": "2026-03-03T12:00:00Z"},
    ]


async def test_the_account_says_the_language_where_the_sender_does_not(intake: Intake) -> None:
    """And the receipt says who said so."""
    await intake.take(listed(an_account(language="de"), at=NOON))
    receipt = await intake.ask(language=None, subject="", body="")
    assert (receipt["language"]["language"], receipt["language"]["by"]) == ("de", "account")


async def test_what_is_answered_is_kept_and_announced(intake: Intake) -> None:
    """Three ways to the same receipt."""
    receipt = await intake.ask()
    assert await intake.receipt() == receipt
    (announced,) = await intake.said("receipts.v1")
    assert announced.items() <= receipt.items()


async def test_a_hundred_copies_make_one_ticket(intake: Intake) -> None:
    """Whoever comes first is accepted; all are told the same promises."""
    answers = await asyncio.gather(*(intake.ask() for _ in range(100)))
    outcomes = sorted(answer["outcome"] for answer in answers)
    assert outcomes == ["accepted", *["duplicate"] * 99]
    assert len({json.dumps(answer["promises"]) for answer in answers}) == 1
    assert len(await intake.said("tickets.v1")) == 1


async def test_another_request_of_the_same_name_is_told_so(intake: Intake) -> None:
    """What came first stands."""
    await intake.ask()
    answer = await intake.ask(subject="Something else")
    assert (answer["outcome"], answer["reason"]) == ("duplicate", "other_content")


async def test_a_copy_by_kafka_gets_a_receipt_too(intake: Intake) -> None:
    """One for each record, in one batch or in two; there is one ticket."""
    await intake.take_documents(REQUEST, REQUEST)
    await intake.take_documents(REQUEST)
    outcomes = [receipt["outcome"] for receipt in await intake.said("receipts.v1")]
    assert sorted(outcomes) == ["accepted", "duplicate", "duplicate"]
    assert len(await intake.said("tickets.v1")) == 1


async def test_a_later_fact_gets_a_receipt(intake: Intake) -> None:
    """It may come before its request; a copy is a duplicate."""
    for outcome in ("accepted", "duplicate"):
        answer = (await intake.client.post("/v1/events", json=FACT)).json()
        assert (answer["outcome"], answer["document"]) == (outcome, "responded")


def record(**changes: object) -> Record:
    """Write a request on the inbound topic."""
    return Record("inbound.v1", 0, 7, None, json.dumps({**REQUEST, **changes}).encode(), [])


async def test_a_bad_document_that_says_whose_it_is_is_answered(intake: Intake) -> None:
    """It is parked as well, byte for byte."""
    item = decode(record(channel="fax"))
    assert isinstance(item, Refused)
    async with intake.db.transaction() as tx:
        await handlers.take(tx, [item], NOON, keys=KEYS)
    (receipt,) = await intake.said("receipts.v1")
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "bad_data")
    assert "channel" in receipt["remedy"]
    async with intake.db.session() as session:
        (letter,) = await dead_letters.all_parked(session)
    assert (letter.value, letter.offset) == (item.record.value, 7)


async def test_each_of_a_batch_is_answered_on_its_own(intake: Intake) -> None:
    """A bad one in the middle harms nobody."""
    tickets = [{**REQUEST, "external_id": f"B-{n}"} for n in range(3)]
    tickets[1]["channel"] = "fax"
    answer = await intake.client.post("/v1/tickets:batch", json={"tickets": tickets})
    answers = answer.json()["answers"]
    assert [a["position"] for a in answers] == [0, 1, 2]
    assert [bool(a["receipt"]) for a in answers] == [True, False, True]
    assert "channel" in answers[1]["fault"]


async def test_more_than_a_hundred_are_refused_together(intake: Intake) -> None:
    """Nothing of them is taken."""
    tickets = [{**REQUEST, "external_id": f"B-{n}"} for n in range(101)]
    answer = await intake.client.post("/v1/tickets:batch", json={"tickets": tickets})
    assert answer.status_code == 422
    assert await intake.said("tickets.v1") == []


async def test_a_receipt_of_nothing_is_not_found(intake: Intake) -> None:
    """The answer names what was asked for."""
    answer = await intake.client.get("/v1/receipts/app-form/never")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")
    assert "never" in answer.json()["detail"]


async def test_a_person_is_forgotten_and_nothing_is_owed(intake: Intake) -> None:
    """Who asked and what was written is gone; the tickets say so, others' stay as they were."""
    receipt = await intake.ask(body="Nobody can log in")
    await intake.ask(external_id="A-2", requester_id="bob", body="Nor can I")
    answer = await intake.client.delete("/v1/subjects/app-form/ada")
    assert answer.json() == {"tickets": 1}
    async with intake.db.session() as session:
        rows = await session.fetch("SELECT requester_id, body FROM ticket ORDER BY external_id")
    assert [tuple(row) for row in rows] == [("", ""), ("bob", "Nor can I")]
    erased = [fact for fact in await intake.said("tickets.v1") if len(fact) == 1]
    assert erased == [{"ticket_id": receipt["ticket_id"]}]


async def test_what_was_held_is_forgotten_too(stranger: Intake) -> None:
    """Its account makes no ticket of it any more."""
    await stranger.ask()
    await stranger.client.delete("/v1/subjects/app-form/ada")
    await stranger.take(listed())
    assert await stranger.said("tickets.v1") == []


async def test_without_a_tag_the_text_is_read(intake: Intake) -> None:
    """And the receipt says so, with how sure it is."""
    body = "Seit heute Morgen kann sich niemand in unserer Firma anmelden."
    language = (await intake.ask(language=None, body=body))["language"]
    assert (language["language"], language["by"]) == ("de", "detected")
    assert language["confidence"] > 0.8


async def test_a_claim_is_read_and_the_reading_decides_nothing(intake: Intake) -> None:
    """What speaks for it and against it is told by its place, without a word of the text."""
    body = "All of our users cannot log in since this morning. It is a cosmetic problem for me."
    receipt = await intake.ask(severity="business_critical", body=body)
    assert receipt["severity"] == "business_critical"
    assert [e["criterion"] for e in receipt["reading"]["speaks_for"]] == ["login_blocked"]
    assert receipt["reading"]["speaks_against"]
    (announced,) = await intake.said("receipts.v1")
    assert "log in" not in json.dumps(announced)


async def test_details_are_read_on_record(intake: Intake) -> None:
    """Who looked at what a customer wrote is kept; a look at what is not there is not."""
    receipt = await intake.ask(body="Nobody can log in")
    answer = await intake.client.get(f"/v1/tickets/{receipt['ticket_id']}/details")
    assert (answer.json()["requester_id"], answer.json()["body"]) == ("ada", "Nobody can log in")
    nothing = await intake.client.get(f"/v1/tickets/{uuid4()}/details")
    assert nothing.status_code == 404
    async with intake.db.session() as session:
        (read,) = await session.fetch("SELECT ticket_id::text, tenant FROM details_read")
    assert tuple(read) == (receipt["ticket_id"], "northwind")
