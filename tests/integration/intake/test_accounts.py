"""Accounts of any size: in parts, in any order, each answered; in force once all are there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from tests.integration.intake.conftest import Intake, listed

from intake import handlers
from intake.accounts import Unlisted
from premium.accounts.topic import records
from shared.events import AccountAnswered, AccountListed
from shared.events.codec import VALUE_BYTES_MAX, Record, Skipped
from shared.platform.publisher import Outgoing
from shared.testing.builders import NOON, an_account

SEATS: Final = 100_000
MANY: Final = [f"user-{number:06}@northwind.example" for number in range(SEATS)]


def large(**changes: object) -> list[Outgoing]:
    """Lay out an account of a hundred thousand seats."""
    account = an_account(super_admins=["ada", "eve"], seats=MANY, **changes)
    return list(records([account], NOON - timedelta(days=1)))


def read(sent: Outgoing) -> handlers.Item:
    """Read a record as intake does."""
    item = handlers.decode(Record(sent.topic, 0, 0, sent.key, sent.value, sent.headers))
    assert not isinstance(item, Skipped)
    return item


async def take(intake: Intake, sent: Outgoing) -> None:
    """Let a record have come in a batch of its own."""
    await intake.take_items(read(sent))


async def answered(intake: Intake) -> list[dict[str, Any]]:
    """Read what was said of accounts."""
    return [*await intake.said(AccountAnswered.topic)]


def last_first(record: Outgoing) -> int:
    """Order the parts from the last to the first."""
    return -int((record.key or b"").rpartition(b"\x1f")[2])


def by_end_of_key(record: Outgoing) -> bytes:
    """Order the parts by their last figures."""
    return (record.key or b"")[::-1]


def test_an_account_is_laid_out_in_records_that_every_reader_takes() -> None:
    """Each part is small enough, and stays on the compacted topic beside the others."""
    sent = large()
    assert len(sent) > 10
    assert all(len(record.value or b"") < VALUE_BYTES_MAX for record in sent)
    assert len({record.key for record in sent}) == len(sent)


def test_a_small_account_is_one_record_under_its_id() -> None:
    """As it ever was."""
    (sent,) = records([an_account()], NOON)
    assert sent.key == b"northwind"
    assert b"part" not in (sent.value or b"")


@pytest.mark.parametrize("order", [last_first, by_end_of_key])
async def test_a_hundred_thousand_seats_arrive(
    stranger: Intake, order: Callable[[Outgoing], Any]
) -> None:
    """In any order; the first and the last may ask, who is not listed may not."""
    for record in sorted(large(), key=order):
        await take(stranger, record)
    answers = [
        await stranger.ask(external_id=str(n), requester_id=who)
        for n, who in enumerate([MANY[0], MANY[-1], "eve", "mallory"])
    ]
    assert [a["outcome"] for a in answers] == ["accepted"] * 3 + ["rejected"]
    assert answers[-1]["reason"] == "no_seat"
    last = (await answered(stranger))[-1]
    assert (last["outcome"], last["super_admins"], last["seats"]) == ("listed", 2, SEATS)


async def test_it_counts_once_all_parts_are_there(stranger: Intake) -> None:
    """Until then, what was told before does; each part is answered with how many are missing."""
    await stranger.take(listed(at=NOON - timedelta(days=2)))
    *most, last = large()
    for record in most:
        await take(stranger, record)
    assert (await stranger.ask(requester_id=MANY[0]))["outcome"] == "rejected"
    said = await answered(stranger)
    assert [a["parts_missing"] for a in said[1:]] == [*range(len(most), 0, -1)]
    await take(stranger, last)
    assert (await stranger.receipt())["outcome"] == "accepted"


async def test_parts_that_come_twice_and_together_are_one_listing(stranger: Intake) -> None:
    """A batch may hold several parts, and a part may come again under another id."""
    sent = large()
    await stranger.take_items(*(read(record) for record in [*sent, *sent]))
    assert (await stranger.ask(requester_id=MANY[0]))["outcome"] == "accepted"
    assert {a["seats"] for a in await answered(stranger)} == {SEATS}


async def test_a_later_listing_ends_one_that_was_never_whole(stranger: Intake) -> None:
    """What is left of it lies in nobody's way."""
    for record in large()[:-1]:
        await take(stranger, record)
    await stranger.take(listed(an_account(seats=["zoe"])))
    assert (await stranger.ask(requester_id="zoe"))["outcome"] == "accepted"
    async with stranger.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM account_person") == 2


async def test_the_same_instant_told_again_replaces(stranger: Intake) -> None:
    """Billing corrects itself: who is left out has no seat any more."""
    await stranger.take(listed(an_account(seats=["bob", "zoe"])))
    await stranger.take(listed(an_account(seats=["zoe"])))
    assert (await stranger.ask(requester_id="bob"))["reason"] == "no_seat"


async def test_a_record_too_large_is_refused_with_the_remedy(stranger: Intake) -> None:
    """Whose it is, is told, and what to do."""
    (sent,) = records([an_account()], NOON)
    item = read(Outgoing(sent.topic, sent.key, b" " * (VALUE_BYTES_MAX + 1), sent.headers))
    assert isinstance(item, Unlisted)
    await stranger.take_items(item)
    (answer,) = await answered(stranger)
    assert (answer["account_id"], answer["outcome"]) == ("northwind", "refused")
    assert answer["reason"] == "too_large"
    assert "in parts" in answer["remedy"]
    assert answer["record_id"] == dict(sent.headers)["ce_id"].decode()  # type: ignore[union-attr]


def test_a_part_beyond_the_last_cannot_be() -> None:
    """Its number and count are checked where they enter."""
    with pytest.raises(ValueError, match="part 3 of 2"):
        AccountListed.model_validate({"account_id": "a", "part": {"number": 3, "of": 2}})
