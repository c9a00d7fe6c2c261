"""Merges on a real PostgreSQL: the target takes over the promise of the duplicate."""

import asyncio
from typing import Any, Final

import pytest
from tests.integration.intake.conftest import KEYS, REQUEST, Intake, listed

from intake import service
from intake.service import Document
from shared.events import INBOUND, ticket_id_of
from shared.testing.builders import an_account
from shared.testing.databases import waits_for_a_lock

DUPLICATE: Final = {**REQUEST, "occurred_at": "2026-03-02T11:40:00Z"}
TARGET: Final = {**REQUEST, "external_id": "A-2", "occurred_at": "2026-03-02T12:00:00Z"}


def ticket(external_id: str) -> str:
    """Return a ticket's id."""
    return str(ticket_id_of("app-form", external_id))


def fact(kind: str, minute: int, external_id: str = "A-1", **more: object) -> dict[str, Any]:
    """Make a later fact, at a minute after noon."""
    return {
        "source": "app-form",
        "external_id": external_id,
        "type": kind,
        "occurred_at": f"2026-03-02T12:{minute:02}:00Z",
        **more,
    }


def merged(minute: int = 10, external_id: str = "A-1", into: str = "A-2") -> dict[str, Any]:
    """Make the fact that one ticket was merged into another."""
    return fact("merged", minute, external_id, into=into)


async def absorbed(intake: Intake) -> list[dict[str, Any]]:
    """Read the announced events of absorbed tickets."""
    return [event for event in await intake.announced("tickets.v1") if "absorbed" in event]


async def answered(intake: Intake, content: dict[str, Any]) -> dict[str, Any]:
    """Post a fact over HTTP; return its receipt."""
    answer = await intake.client.post("/v1/events", json=content)
    assert answer.status_code in {200, 202}, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


OWED: Final = [
    {
        "ticket_id": ticket("A-2"),
        "absorbed": ticket("A-1"),
        "create_date": "2026-03-02T11:40:00Z",
        "owed_since": "2026-03-02T11:40:00Z",
        "reopens": True,
    }
]


@pytest.mark.parametrize(
    "order",
    [
        (DUPLICATE, TARGET, merged()),
        (DUPLICATE, merged(), TARGET),
        (TARGET, merged(), DUPLICATE),
        (merged(), DUPLICATE, TARGET),
        (merged(), TARGET, DUPLICATE),
    ],
)
@pytest.mark.parametrize("in_one_batch", [False, True])
async def test_a_merge_counts_once_both_tickets_are_known(
    intake: Intake, order: tuple[dict[str, Any], ...], in_one_batch: bool
) -> None:
    """In any order of arrival, in one batch or in several; until then it is not announced."""
    if in_one_batch:
        await intake.consume_documents(*order)
    else:
        for content in order:
            assert await absorbed(intake) == []
            await intake.consume_documents(content)
    assert await absorbed(intake) == OWED
    ended = [f for f in await intake.announced("tickets.v1") if "into" in f]
    assert ended == [{"ticket_id": ticket("A-1"), "into": ticket("A-2")}]


async def test_a_merge_waits_for_a_concurrent_request(intake: Intake) -> None:
    """Without the lock neither transaction would see the other, and the merge would be lost."""
    await intake.consume_documents(TARGET)
    document = Document(INBOUND.validate_python(DUPLICATE), None)
    async with asyncio.TaskGroup() as group, intake.db.transaction() as tx:
        await service.receive(tx, [document], KEYS)
        group.create_task(intake.consume_documents(merged()))
        assert await waits_for_a_lock(intake.db)
    assert await absorbed(intake) == OWED


async def test_two_concurrent_requests_do_not_miss_their_merge(intake: Intake) -> None:
    """The second request waits for the first, and then finds it."""
    await intake.consume_documents(merged())
    document = Document(INBOUND.validate_python(DUPLICATE), None)
    async with asyncio.TaskGroup() as group, intake.db.transaction() as tx:
        await service.receive(tx, [document], KEYS)
        group.create_task(intake.consume_documents(TARGET))
        assert await waits_for_a_lock(intake.db)
    assert await absorbed(intake) == OWED


@pytest.mark.parametrize("content", [merged(), merged(into="A-1")])
async def test_a_held_or_rejected_merge_does_not_end_the_duplicate(
    intake: Intake, content: dict[str, Any]
) -> None:
    """A merge into an unknown ticket, or into itself, announces no merge."""
    await intake.consume_documents(DUPLICATE, content)
    assert [f for f in await intake.announced("tickets.v1") if "into" in f] == []


async def test_a_rejected_merge_has_reason_and_remedy(intake: Intake) -> None:
    """Into itself, for the second time, or closing a ring of any length."""
    await intake.consume_documents(DUPLICATE, TARGET, {**TARGET, "external_id": "A-3"})
    itself = await answered(intake, merged(into="A-1"))
    assert (itself["outcome"], itself["reason"]) == ("rejected", "merged_into_itself")
    assert (await answered(intake, merged()))["outcome"] == "accepted"
    second = await answered(intake, merged(11, into="A-3"))
    assert (second["outcome"], second["reason"]) == ("rejected", "merged_already")
    ring = await answered(intake, merged(11, "A-2", "A-1"))
    assert (ring["outcome"], ring["reason"]) == ("rejected", "merge_ring")
    await answered(intake, merged(12, "A-2", "A-3"))
    long_ring = await answered(intake, merged(13, "A-3", "A-1"))
    assert (long_ring["outcome"], long_ring["reason"]) == ("rejected", "merge_ring")
    assert all(one["remedy"] for one in (itself, second, ring, long_ring))


async def test_a_held_merge_counts_when_rings_are_searched(intake: Intake) -> None:
    """Otherwise a ring would close once the target of the held merge arrives."""
    await intake.consume_documents(merged())
    ring = await answered(intake, merged(11, "A-2", "A-1"))
    assert ring["reason"] == "merge_ring"
    await intake.consume_documents(DUPLICATE, TARGET)
    assert await absorbed(intake) == OWED


async def test_a_merge_into_an_unknown_or_held_ticket_is_held(empty_intake: Intake) -> None:
    """Its receipt is `held`, and a second receipt is announced once it counts."""
    known = {**DUPLICATE, "account_id": "southwind"}
    await empty_intake.consume(listed(an_account(account_id="southwind")))
    await empty_intake.consume_documents(known)
    unknown = await answered(empty_intake, merged())
    assert (unknown["outcome"], unknown["reason"]) == ("held", "unknown_target")
    again = await answered(empty_intake, merged())
    assert (again["outcome"], again["duplicate_of"]) == ("duplicate", "held")
    assert (await empty_intake.post_request(external_id="A-2"))["outcome"] == "held"
    assert await absorbed(empty_intake) == []
    await empty_intake.consume(listed())
    assert await absorbed(empty_intake) == OWED
    receipts = [r for r in await empty_intake.announced("receipts.v1") if r["document"] == "merged"]
    assert [(r["outcome"], r.get("counts_for")) for r in receipts] == [
        ("held", None),
        ("accepted", "A-2"),
    ]


@pytest.mark.parametrize("over", ["resolved", "closed"])
async def test_a_merge_into_an_ended_ticket_reopens_it(intake: Intake, over: str) -> None:
    """The receipt's note names the target's former status."""
    await intake.consume_documents(DUPLICATE, TARGET, fact(over, 5, "A-2"))
    receipt = await answered(intake, merged())
    assert receipt["note"] == f"A-2 was {over}: it is open again"
    assert await absorbed(intake) == OWED


@pytest.mark.parametrize(
    ("before", "owed_since", "reopens"),
    [
        ([fact("responded", 2)], None, True),
        ([fact("responded", 2), fact("customer_replied", 4)], "2026-03-02T12:04:00Z", True),
        ([fact("resolved", 2)], None, False),
        ([fact("responded", 2), fact("closed", 3)], None, False),
        ([fact("closed", 2)], "2026-03-02T11:40:00Z", True),
    ],
)
async def test_a_target_owes_what_the_duplicate_owed(
    intake: Intake, before: list[dict[str, Any]], owed_since: str | None, reopens: bool
) -> None:
    """Since the first unanswered message; a closing is no answer, a resolution ends the debt."""
    await intake.consume_documents(DUPLICATE, TARGET, *before, merged())
    (event,) = await absorbed(intake)
    assert (event.get("owed_since"), event.get("reopens", False)) == (owed_since, reopens)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("minutes", [(10, 20), (20, 10)])
async def test_a_chain_of_merges_leads_to_the_final_target(
    intake: Intake, order: tuple[int, int], minutes: tuple[int, int]
) -> None:
    """A into B into C, in any order: C owes A's customer an answer since A's create date."""
    last = {**TARGET, "external_id": "A-3"}
    merges = (merged(minutes[0]), merged(minutes[1], "A-2", "A-3"))
    await intake.consume_documents(DUPLICATE, TARGET, last)
    for place in order:
        await intake.consume_documents(merges[place])
    events = [event for event in await absorbed(intake) if event["ticket_id"] == ticket("A-3")]
    assert min(event["create_date"] for event in events) == "2026-03-02T11:40:00Z"
    assert min(event["owed_since"] for event in events) == "2026-03-02T11:40:00Z"


async def test_a_merge_into_an_erased_ticket_is_rejected(intake: Intake) -> None:
    """The duplicate keeps its promise, because an erased ticket has none."""
    await intake.consume_documents({**DUPLICATE, "requester_id": "bob"}, TARGET)
    erased = await intake.client.delete("/v1/subjects/app-form/ada")
    assert erased.status_code == 200
    receipt = await answered(intake, merged())
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "erased")
    assert await absorbed(intake) == []


REPLIES: Final = [fact("customer_replied", 30)]


@pytest.mark.parametrize("reply_first", [False, True])
async def test_a_reply_to_a_merged_ticket_counts_for_the_target(
    intake: Intake, reply_first: bool
) -> None:
    """Also when the reply arrives before the merge."""
    contents = [merged(), fact("customer_replied", 30)]
    await intake.consume_documents(DUPLICATE, TARGET)
    for content in reversed(contents) if reply_first else contents:
        await intake.consume_documents(content)
    replies = [f for f in await intake.announced("tickets.v1") if "written_on" in f]
    assert replies == [{"ticket_id": ticket("A-2"), "written_on": ticket("A-1")}]


async def test_the_receipt_of_a_reply_names_the_ticket_it_counts_for(intake: Intake) -> None:
    """In a chain of merges, the final target."""
    last = {**TARGET, "external_id": "A-3"}
    await intake.consume_documents(DUPLICATE, TARGET, last, merged(), merged(20, "A-2", "A-3"))
    receipt = await answered(intake, fact("customer_replied", 30))
    assert (receipt["outcome"], receipt["counts_for"]) == ("accepted", "A-3")
    assert "A-3" in receipt["note"]


async def test_a_reply_answered_before_the_merge_counts_for_the_duplicate(
    intake: Intake,
) -> None:
    """Even if it arrives after the merge: it is no event of the target."""
    await intake.consume_documents(DUPLICATE, TARGET, fact("responded", 8), merged())
    receipt = await answered(intake, fact("customer_replied", 5))
    assert "counts_for" not in receipt
    unanswered = await answered(intake, fact("customer_replied", 9))
    assert unanswered["counts_for"] == "A-2"
