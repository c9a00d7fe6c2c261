"""Merges on a real PostgreSQL: what a duplicate is promised lives on in the ticket that stays."""

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
    """Name a ticket."""
    return str(ticket_id_of("app-form", external_id))


def fact(kind: str, minute: int, external_id: str = "A-1", **more: object) -> dict[str, Any]:
    """Tell something that happened at that minute after noon."""
    return {
        "source": "app-form",
        "external_id": external_id,
        "type": kind,
        "occurred_at": f"2026-03-02T12:{minute:02}:00Z",
        **more,
    }


def merged(minute: int = 10, external_id: str = "A-1", into: str = "A-2") -> dict[str, Any]:
    """Merge one into another."""
    return fact("merged", minute, external_id, into=into)


async def absorbed(intake: Intake) -> list[dict[str, Any]]:
    """Read what tickets were told of duplicates merged into them."""
    return [said for said in await intake.said("tickets.v1") if "absorbed" in said]


async def answered(intake: Intake, content: dict[str, Any]) -> dict[str, Any]:
    """Post a fact over HTTP; the receipt comes back."""
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
@pytest.mark.parametrize("together", [False, True])
async def test_a_merge_counts_once_both_tickets_are_known(
    intake: Intake, order: tuple[dict[str, Any], ...], together: bool
) -> None:
    """Whatever comes first, and in one batch, too: until then it is not announced."""
    if together:
        await intake.take_documents(*order)
    else:
        for content in order:
            assert await absorbed(intake) == []
            await intake.take_documents(content)
    assert await absorbed(intake) == OWED
    ended = [f for f in await intake.said("tickets.v1") if "into" in f]
    assert ended == [{"ticket_id": ticket("A-1"), "into": ticket("A-2")}]


async def test_a_merge_waits_for_a_request_that_is_being_taken(intake: Intake) -> None:
    """Neither could see the other before both are committed; then the merge would be lost."""
    await intake.take_documents(TARGET)
    document = Document(INBOUND.validate_python(DUPLICATE), None)
    async with asyncio.TaskGroup() as group, intake.db.transaction() as tx:
        await service.receive(tx, [document], KEYS)
        group.create_task(intake.take_documents(merged()))
        assert await waits_for_a_lock(intake.db)
    assert await absorbed(intake) == OWED


async def test_two_requests_that_come_at_once_do_not_miss_their_merge(intake: Intake) -> None:
    """Each is taken without seeing the other: the second waits for the first, and finds it."""
    await intake.take_documents(merged())
    document = Document(INBOUND.validate_python(DUPLICATE), None)
    async with asyncio.TaskGroup() as group, intake.db.transaction() as tx:
        await service.receive(tx, [document], KEYS)
        group.create_task(intake.take_documents(TARGET))
        assert await waits_for_a_lock(intake.db)
    assert await absorbed(intake) == OWED


@pytest.mark.parametrize("content", [merged(), merged(into="A-1")])
async def test_a_merge_that_waits_or_counts_for_nothing_leaves_the_promise_owed(
    intake: Intake, content: dict[str, Any]
) -> None:
    """Into an unknown ticket, or into itself: the duplicate has not ended."""
    await intake.take_documents(DUPLICATE, content)
    assert [f for f in await intake.said("tickets.v1") if "into" in f] == []


async def test_receipts_say_why_a_merge_counts_for_nothing(intake: Intake) -> None:
    """Into itself, a second time, or closing a ring of any length: with a remedy."""
    await intake.take_documents(DUPLICATE, TARGET, {**TARGET, "external_id": "A-3"})
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


async def test_a_ring_is_none_where_one_of_it_waits(intake: Intake) -> None:
    """A merge that is held counts as a link, so that none closes once the target comes."""
    await intake.take_documents(merged())
    ring = await answered(intake, merged(11, "A-2", "A-1"))
    assert ring["reason"] == "merge_ring"
    await intake.take_documents(DUPLICATE, TARGET)
    assert await absorbed(intake) == OWED


async def test_a_merge_into_an_unknown_or_held_ticket_is_held(stranger: Intake) -> None:
    """Its receipt says so, and another comes once it counts."""
    known = {**DUPLICATE, "account_id": "southwind"}
    await stranger.take(listed(an_account(account_id="southwind")))
    await stranger.take_documents(known)
    unknown = await answered(stranger, merged())
    assert (unknown["outcome"], unknown["reason"]) == ("held", "unknown_target")
    again = await answered(stranger, merged())
    assert (again["outcome"], again["duplicate_of"]) == ("duplicate", "held")
    assert (await stranger.ask(external_id="A-2"))["outcome"] == "held"
    assert await absorbed(stranger) == []
    await stranger.take(listed())
    assert await absorbed(stranger) == OWED
    said = [r for r in await stranger.said("receipts.v1") if r["document"] == "merged"]
    assert [(r["outcome"], r.get("counts_for")) for r in said] == [
        ("held", None),
        ("accepted", "A-2"),
    ]


@pytest.mark.parametrize("over", ["resolved", "closed"])
async def test_a_merge_into_what_is_over_says_that_it_is_open_again(
    intake: Intake, over: str
) -> None:
    """The receipt names how the target stood."""
    await intake.take_documents(DUPLICATE, TARGET, fact(over, 5, "A-2"))
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
async def test_a_target_is_told_what_the_duplicate_was_owed(
    intake: Intake, before: list[dict[str, Any]], owed_since: str | None, reopens: bool
) -> None:
    """The first word without an answer; a closing answers nobody. What is over reopens nothing."""
    await intake.take_documents(DUPLICATE, TARGET, *before, merged())
    (said,) = await absorbed(intake)
    assert (said.get("owed_since"), said.get("reopens", False)) == (owed_since, reopens)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("minutes", [(10, 20), (20, 10)])
async def test_a_chain_of_merges_leads_to_the_ticket_that_stays(
    intake: Intake, order: tuple[int, int], minutes: tuple[int, int]
) -> None:
    """A into B into C, in any order of arrival and of time: C owes A's customer since A's date."""
    last = {**TARGET, "external_id": "A-3"}
    merges = (merged(minutes[0]), merged(minutes[1], "A-2", "A-3"))
    await intake.take_documents(DUPLICATE, TARGET, last)
    for place in order:
        await intake.take_documents(merges[place])
    told = [said for said in await absorbed(intake) if said["ticket_id"] == ticket("A-3")]
    assert min(said["create_date"] for said in told) == "2026-03-02T11:40:00Z"
    assert min(said["owed_since"] for said in told) == "2026-03-02T11:40:00Z"


async def test_a_merge_into_an_erased_ticket_counts_for_nothing(intake: Intake) -> None:
    """Nothing is owed there any more; the duplicate's customer is still owed an answer."""
    await intake.take_documents({**DUPLICATE, "requester_id": "bob"}, TARGET)
    erased = await intake.client.delete("/v1/subjects/app-form/ada")
    assert erased.status_code == 200
    receipt = await answered(intake, merged())
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "erased")
    assert await absorbed(intake) == []


REPLIES: Final = [fact("customer_replied", 30)]


@pytest.mark.parametrize("reply_first", [False, True])
async def test_a_reply_to_a_merged_ticket_counts_for_the_one_that_stays(
    intake: Intake, reply_first: bool
) -> None:
    """Also when the reply is known before the merge."""
    contents = [merged(), fact("customer_replied", 30)]
    await intake.take_documents(DUPLICATE, TARGET)
    for content in reversed(contents) if reply_first else contents:
        await intake.take_documents(content)
    replies = [f for f in await intake.said("tickets.v1") if "written_on" in f]
    assert replies == [{"ticket_id": ticket("A-2"), "written_on": ticket("A-1")}]


async def test_the_receipt_of_a_reply_names_the_ticket_it_counts_for(intake: Intake) -> None:
    """Through a chain, the one at its end."""
    last = {**TARGET, "external_id": "A-3"}
    await intake.take_documents(DUPLICATE, TARGET, last, merged(), merged(20, "A-2", "A-3"))
    receipt = await answered(intake, fact("customer_replied", 30))
    assert (receipt["outcome"], receipt["counts_for"]) == ("accepted", "A-3")
    assert "A-3" in receipt["note"]


async def test_a_reply_that_was_answered_before_the_merge_stays_where_it_was(
    intake: Intake,
) -> None:
    """It comes late, after the merge: the one that stays is told nothing of it."""
    await intake.take_documents(DUPLICATE, TARGET, fact("responded", 8), merged())
    receipt = await answered(intake, fact("customer_replied", 5))
    assert "counts_for" not in receipt
    unanswered = await answered(intake, fact("customer_replied", 9))
    assert unanswered["counts_for"] == "A-2"
