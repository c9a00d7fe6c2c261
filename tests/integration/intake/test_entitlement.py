"""Entitlement on a real PostgreSQL: requests are held, rejected, and decided again."""

import asyncio
from datetime import timedelta
from typing import Final

from tests.integration.intake.conftest import KEYS, Intake, as_account_record, listed

from intake import service
from intake.service import DECIDED_MAX, reject_overdue
from shared.testing.builders import NOON, an_account

MINUTE: Final = timedelta(minutes=1)


async def expire(intake: Intake, after: timedelta) -> int:
    """Reject the requests whose hold time is over; return how many were decided."""
    async with intake.db.transaction() as tx:
        return await reject_overdue(tx, NOON + after, KEYS)


async def test_an_unknown_account_is_held_then_rejected(empty_intake: Intake) -> None:
    """It is held for a minute, then rejected with a reason; both are announced."""
    held = await empty_intake.post_request()
    assert (held["outcome"], held["reason"]) == ("held", "unknown_account")
    assert held["held_until"] == "2026-03-02T12:01:00Z"
    assert await expire(empty_intake, MINUTE - timedelta(milliseconds=1)) == 0
    assert await expire(empty_intake, MINUTE) == 1
    rejected = await empty_intake.receipt()
    assert (rejected["outcome"], rejected["reason"]) == ("rejected", "unknown_account")
    assert [r["outcome"] for r in await empty_intake.announced("receipts.v1")] == [
        "held",
        "rejected",
    ]
    assert await empty_intake.announced("tickets.v1") == []


async def test_a_held_request_is_accepted_once_its_account_is_listed(empty_intake: Intake) -> None:
    """Its promises run from the create date, not from the account's record."""
    await empty_intake.post_request()
    await empty_intake.consume(listed(at=NOON + MINUTE))
    receipt = await empty_intake.receipt()
    assert receipt["outcome"] == "accepted"
    assert [p["due_at"] for p in receipt["promises"]] == ["2026-03-02T13:00:00Z"]
    assert len(await empty_intake.announced("tickets.v1")) == 1


async def test_an_account_listed_within_a_day_makes_a_ticket(empty_intake: Intake) -> None:
    """A rejected request becomes a ticket; after a day it stays rejected."""
    await empty_intake.post_request()
    await expire(empty_intake, MINUTE)
    await take_at(empty_intake, 25 * 60)
    assert (await empty_intake.receipt())["outcome"] == "rejected"
    await take_at(empty_intake, 23 * 60)
    assert (await empty_intake.receipt())["outcome"] == "accepted"


async def take_at(intake: Intake, after_min: int) -> None:
    """List the account ``after_min`` minutes after noon."""
    at = NOON + after_min * MINUTE
    async with intake.db.transaction() as tx:
        await service.list_accounts(tx, [as_account_record(listed(at=at))], at, KEYS)


async def test_a_request_without_a_purchase_is_rejected_at_once(empty_intake: Intake) -> None:
    """It is saved, and accepted when a purchase is reported later."""
    await empty_intake.consume(listed(an_account(purchases=[])))
    assert (await empty_intake.post_request())["reason"] == "not_bought"
    await empty_intake.consume(listed(an_account(), at=NOON + MINUTE))
    assert (await empty_intake.receipt())["outcome"] == "accepted"


async def test_an_unchanged_decision_is_not_announced(empty_intake: Intake) -> None:
    """A change of the account that does not change the decision gives no new receipt."""
    await empty_intake.consume(listed(an_account(purchases=[])))
    await empty_intake.post_request()
    await empty_intake.consume(listed(an_account(purchases=[], language="de"), at=NOON + MINUTE))
    assert [r["outcome"] for r in await empty_intake.announced("receipts.v1")] == ["rejected"]


async def test_an_accepted_request_is_not_decided_again(intake: Intake) -> None:
    """Its promises stay when the purchase is withdrawn later."""
    first = await intake.post_request()
    await intake.consume(listed(an_account(purchases=[]), at=NOON + MINUTE))
    assert await intake.receipt() == first


async def test_an_account_listed_meanwhile_finds_the_request(empty_intake: Intake) -> None:
    """Concurrent requests and account records do not deadlock, and all requests are accepted."""
    await asyncio.gather(
        *(empty_intake.post_request(external_id=f"A-{number}") for number in range(40)),
        *(empty_intake.consume(listed(at=NOON)) for _ in range(3)),
    )
    outcomes = {(await empty_intake.receipt(f"A-{number}"))["outcome"] for number in range(40)}
    assert outcomes == {"accepted"}


async def test_account_and_request_in_one_batch(empty_intake: Intake) -> None:
    """An account's record makes a ticket of an earlier request."""
    await empty_intake.post_request(requester_id="bob", external_id="first")
    await empty_intake.consume(listed())
    assert (await empty_intake.receipt("first"))["outcome"] == "accepted"


async def test_one_account_that_many_requests_wait_for_is_no_long_transaction(
    empty_intake: Intake,
) -> None:
    """One transaction decides DECIDED_MAX of them; later ones decide all the others."""
    names = [f"A-{number}" for number in range(2 * DECIDED_MAX + 50)]
    await asyncio.gather(*(empty_intake.post_request(external_id=name) for name in names))
    await empty_intake.consume(listed(at=NOON))
    accepted = [DECIDED_MAX]
    assert len(await empty_intake.announced("tickets.v1")) == DECIDED_MAX
    more = True
    while more:
        async with empty_intake.db.transaction() as tx:
            more = await service.decide_pending(tx, NOON, KEYS)
        accepted.append(len(await empty_intake.announced("tickets.v1")))
    assert accepted == [DECIDED_MAX, 2 * DECIDED_MAX, len(names)]
    assert {(await empty_intake.receipt(name))["outcome"] for name in names} == {"accepted"}


async def test_an_overdue_request_is_decided_by_the_current_accounts(empty_intake: Intake) -> None:
    """A held request whose account was listed is accepted, even if its hold time is over."""
    names = [f"A-{number}" for number in range(DECIDED_MAX + 1)]
    await asyncio.gather(*(empty_intake.post_request(external_id=name) for name in names))
    await empty_intake.consume(listed(at=NOON))
    assert await expire(empty_intake, 2 * MINUTE) == 1
    assert {r["outcome"] for r in await empty_intake.announced("receipts.v1")} == {
        "held",
        "accepted",
    }
