"""Accounts of any size: sent in parts, in any order, and in force once all parts arrived."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from tests.integration.intake.conftest import Intake, listed

from intake import handlers
from intake.accounts import UnreadableRecord
from premium.accounts.topic import records
from shared.events import AccountAnswered, AccountListed
from shared.events.codec import VALUE_BYTES_MAX, Record, Skipped
from shared.platform.publisher import Outgoing
from shared.testing.builders import NOON, an_account

SEATS: Final = 100_000
MANY: Final = [f"user-{number:06}@northwind.example" for number in range(SEATS)]


def large(**changes: object) -> list[Outgoing]:
    """Make the records of an account with a hundred thousand seats."""
    account = an_account(super_admins=["ada", "eve"], seats=MANY, **changes)
    return list(records([account], NOON - timedelta(days=1)))


def read(sent: Outgoing) -> handlers.Item:
    """Decode a record."""
    item = handlers.decode(Record(sent.topic, 0, 0, sent.key, sent.value, sent.headers))
    assert not isinstance(item, Skipped)
    return item


async def handle(intake: Intake, sent: Outgoing) -> None:
    """Handle a record in a batch of its own."""
    await intake.consume_items(read(sent))


async def answered(intake: Intake) -> list[dict[str, Any]]:
    """Read the answers to account records."""
    return [*await intake.announced(AccountAnswered.topic)]


def last_first(record: Outgoing) -> int:
    """Order the parts from the last to the first."""
    return -int((record.key or b"").rpartition(b"\x1f")[2])


def by_end_of_key(record: Outgoing) -> bytes:
    """Order the parts by the reversed key."""
    return (record.key or b"")[::-1]


def test_a_large_account_is_split_into_records_of_limited_size() -> None:
    """Each part has a key of its own, so that all stay on the compacted topic."""
    sent = large()
    assert len(sent) > 10
    assert all(len(record.value or b"") < VALUE_BYTES_MAX for record in sent)
    assert len({record.key for record in sent}) == len(sent)


def test_a_small_account_is_one_record_under_its_id() -> None:
    """Its key is the account's id, and it has no part number."""
    (sent,) = records([an_account()], NOON)
    assert sent.key == b"northwind"
    assert b"part" not in (sent.value or b"")


@pytest.mark.parametrize("order", [last_first, by_end_of_key])
async def test_a_hundred_thousand_seats_arrive(
    empty_intake: Intake, order: Callable[[Outgoing], Any]
) -> None:
    """In any order of the parts; the first and last seats may ask, an unlisted person may not."""
    for record in sorted(large(), key=order):
        await handle(empty_intake, record)
    answers = [
        await empty_intake.post_request(external_id=str(n), requester_id=person)
        for n, person in enumerate([MANY[0], MANY[-1], "eve", "mallory"])
    ]
    assert [a["outcome"] for a in answers] == ["accepted"] * 3 + ["rejected"]
    assert answers[-1]["reason"] == "no_seat"
    last = (await answered(empty_intake))[-1]
    assert (last["outcome"], last["super_admins"], last["seats"]) == ("listed", 2, SEATS)


async def test_it_counts_once_all_parts_are_there(empty_intake: Intake) -> None:
    """Until then the earlier version counts; each answer has the number of missing parts."""
    await empty_intake.consume(listed(at=NOON - timedelta(days=2)))
    *most, last = large()
    for record in most:
        await handle(empty_intake, record)
    assert (await empty_intake.post_request(requester_id=MANY[0]))["outcome"] == "rejected"
    answers = await answered(empty_intake)
    assert [a["parts_missing"] for a in answers[1:]] == [*range(len(most), 0, -1)]
    await handle(empty_intake, last)
    assert (await empty_intake.receipt())["outcome"] == "accepted"


async def test_repeated_parts_in_one_batch_are_one_version(empty_intake: Intake) -> None:
    """A batch may contain several parts, and each part twice."""
    sent = large()
    await empty_intake.consume_items(*(read(record) for record in [*sent, *sent]))
    assert (await empty_intake.post_request(requester_id=MANY[0]))["outcome"] == "accepted"
    assert {a["seats"] for a in await answered(empty_intake)} == {SEATS}


async def test_a_later_version_replaces_an_incomplete_one(empty_intake: Intake) -> None:
    """The people of the incomplete version are deleted."""
    for record in large()[:-1]:
        await handle(empty_intake, record)
    await empty_intake.consume(listed(an_account(seats=["zoe"])))
    assert (await empty_intake.post_request(requester_id="zoe"))["outcome"] == "accepted"
    async with empty_intake.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM account_person") == 2


async def test_a_version_of_the_same_time_replaces_the_first(empty_intake: Intake) -> None:
    """A person who is left out of the correction has no seat any more."""
    await empty_intake.consume(listed(an_account(seats=["bob", "zoe"])))
    await empty_intake.consume(listed(an_account(seats=["zoe"])))
    assert (await empty_intake.post_request(requester_id="bob"))["reason"] == "no_seat"


async def test_a_record_too_large_is_refused_with_the_remedy(empty_intake: Intake) -> None:
    """The answer names the account, the reason and the remedy."""
    (sent,) = records([an_account()], NOON)
    item = read(Outgoing(sent.topic, sent.key, b" " * (VALUE_BYTES_MAX + 1), sent.headers))
    assert isinstance(item, UnreadableRecord)
    await empty_intake.consume_items(item)
    (answer,) = await answered(empty_intake)
    assert (answer["account_id"], answer["outcome"]) == ("northwind", "refused")
    assert answer["reason"] == "too_large"
    assert "in parts" in answer["remedy"]
    assert answer["record_id"] == dict(sent.headers)["ce_id"].decode()  # type: ignore[union-attr]


def test_a_part_number_above_the_count_is_refused() -> None:
    """The event cannot be made."""
    with pytest.raises(ValueError, match="part 3 of 2"):
        AccountListed.model_validate({"account_id": "a", "part": {"number": 3, "of": 2}})
