"""Entitlements on a real PostgreSQL: held, rejected, and judged again when billing tells."""

import asyncio
from datetime import timedelta
from typing import Final

from tests.integration.intake.conftest import KEYS, Intake, as_told, listed

from intake import service
from intake.service import JUDGED_MAX, reject_overdue
from shared.testing.builders import NOON, an_account

MINUTE: Final = timedelta(minutes=1)


async def expire(intake: Intake, after: timedelta) -> int:
    """Look for requests that were held for long enough."""
    async with intake.db.transaction() as tx:
        return await reject_overdue(tx, NOON + after, KEYS)


async def test_an_unknown_account_is_held_then_rejected(stranger: Intake) -> None:
    """For a minute, then with the reason and what to do; each is announced."""
    held = await stranger.ask()
    assert (held["outcome"], held["reason"]) == ("held", "unknown_account")
    assert held["held_until"] == "2026-03-02T12:01:00Z"
    assert await expire(stranger, MINUTE - timedelta(milliseconds=1)) == 0
    assert await expire(stranger, MINUTE) == 1
    rejected = await stranger.receipt()
    assert (rejected["outcome"], rejected["reason"]) == ("rejected", "unknown_account")
    assert [r["outcome"] for r in await stranger.said("receipts.v1")] == ["held", "rejected"]
    assert await stranger.said("tickets.v1") == []


async def test_the_account_makes_a_ticket_of_what_was_held(stranger: Intake) -> None:
    """With promises from the create date, not from when the account came."""
    await stranger.ask()
    await stranger.take(listed(at=NOON + MINUTE))
    receipt = await stranger.receipt()
    assert receipt["outcome"] == "accepted"
    assert [p["due_at"] for p in receipt["promises"]] == ["2026-03-02T13:00:00Z"]
    assert len(await stranger.said("tickets.v1")) == 1


async def test_a_late_entitlement_helps_within_a_day(stranger: Intake) -> None:
    """What was rejected becomes a ticket; after a day it stays rejected."""
    await stranger.ask()
    await expire(stranger, MINUTE)
    await take_at(stranger, 25 * 60)
    assert (await stranger.receipt())["outcome"] == "rejected"
    await take_at(stranger, 23 * 60)
    assert (await stranger.receipt())["outcome"] == "accepted"


async def take_at(intake: Intake, after_min: int) -> None:
    """Tell of the account, so long after noon."""
    at = NOON + after_min * MINUTE
    async with intake.db.transaction() as tx:
        await service.list_accounts(tx, [as_told(listed(at=at))], at, KEYS)


async def test_who_has_not_bought_is_rejected_at_once(stranger: Intake) -> None:
    """And kept for audit; a purchase told later helps."""
    await stranger.take(listed(an_account(purchases=[])))
    assert (await stranger.ask())["reason"] == "not_bought"
    await stranger.take(listed(an_account(), at=NOON + MINUTE))
    assert (await stranger.receipt())["outcome"] == "accepted"


async def test_news_that_changes_nothing_is_not_told(stranger: Intake) -> None:
    """A held request is not held again by news of an account that does not help."""
    await stranger.take(listed(an_account(purchases=[])))
    await stranger.ask()
    await stranger.take(listed(an_account(purchases=[], language="de"), at=NOON + MINUTE))
    assert [r["outcome"] for r in await stranger.said("receipts.v1")] == ["rejected"]


async def test_an_accepted_request_is_not_judged_again(intake: Intake) -> None:
    """A purchase that is taken back takes no promise back."""
    first = await intake.ask()
    await intake.take(listed(an_account(purchases=[]), at=NOON + MINUTE))
    assert await intake.receipt() == first


async def test_an_account_told_of_meanwhile_finds_the_request(stranger: Intake) -> None:
    """However the two transactions interleave, none waits for ever."""
    await asyncio.gather(
        *(stranger.ask(external_id=f"A-{number}") for number in range(40)),
        *(stranger.take(listed(at=NOON)) for _ in range(3)),
    )
    outcomes = {(await stranger.receipt(f"A-{number}"))["outcome"] for number in range(40)}
    assert outcomes == {"accepted"}


async def test_account_and_request_in_one_batch(stranger: Intake) -> None:
    """What is told of accounts counts for all of the batch."""
    await stranger.ask(requester_id="bob", external_id="first")
    await stranger.take(listed())
    assert (await stranger.receipt("first"))["outcome"] == "accepted"


async def test_one_account_that_many_requests_wait_for_is_no_long_transaction(
    stranger: Intake,
) -> None:
    """One transaction judges JUDGED_MAX of them; the others follow, and none is forgotten."""
    names = [f"A-{number}" for number in range(2 * JUDGED_MAX + 50)]
    await asyncio.gather(*(stranger.ask(external_id=name) for name in names))
    await stranger.take(listed(at=NOON))
    accepted = [JUDGED_MAX]
    assert len(await stranger.said("tickets.v1")) == JUDGED_MAX
    more = True
    while more:
        async with stranger.db.transaction() as tx:
            more = await service.judge_waiting(tx, NOON, KEYS)
        accepted.append(len(await stranger.said("tickets.v1")))
    assert accepted == [JUDGED_MAX, 2 * JUDGED_MAX, len(names)]
    assert {(await stranger.receipt(name))["outcome"] for name in names} == {"accepted"}


async def test_what_is_overdue_is_judged_by_what_is_known(stranger: Intake) -> None:
    """A request whose account came, and that is not judged again yet, is not rejected for time."""
    names = [f"A-{number}" for number in range(JUDGED_MAX + 1)]
    await asyncio.gather(*(stranger.ask(external_id=name) for name in names))
    await stranger.take(listed(at=NOON))
    assert await expire(stranger, 2 * MINUTE) == 1
    assert {r["outcome"] for r in await stranger.said("receipts.v1")} == {"held", "accepted"}
