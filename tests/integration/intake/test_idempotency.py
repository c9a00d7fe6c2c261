"""Idempotency-Key (IETF draft) on a real PostgreSQL: one effect, and the same answer again."""

import asyncio
from typing import Any

import pytest
from tests.integration.intake.conftest import REQUEST, Intake

from intake.reception import store


async def post(intake: Intake, key: str, **changes: object) -> Any:  # noqa: ANN401 - a response
    """Post the request with a key."""
    return await intake.client.post(
        "/v1/tickets", json={**REQUEST, **changes}, headers={"Idempotency-Key": key}
    )


async def test_a_hundred_at_once_are_answered_alike(intake: Intake) -> None:
    """One ticket, and a hundred equal answers, byte for byte."""
    answers = await asyncio.gather(*(post(intake, "k-1") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert len(await intake.said("tickets.v1")) == 1


async def test_who_went_away_is_answered_later(intake: Intake) -> None:
    """The answer is committed with the ticket, so a second try gets it."""
    first = await post(intake, "k-1")
    again = await post(intake, "k-1")
    assert (again.status_code, again.content) == (first.status_code, first.content)


async def test_a_key_with_another_body_is_refused(intake: Intake) -> None:
    """422, which names the header as every 422 names its field; nothing of it is taken."""
    await post(intake, "k-1")
    answer = await post(intake, "k-1", external_id="A-2")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert len(await intake.said("tickets.v1")) == 1


async def test_a_key_whose_request_is_in_hand_is_told_so(intake: Intake) -> None:
    """409 and when to ask again."""
    async with intake.db.transaction() as tx:
        await store.lock_keys(tx, ["northwind/k-1"])
        answer = await post(intake, "k-1")
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")


async def test_a_refused_request_leaves_its_key_free(intake: Intake) -> None:
    """Nothing is kept of what was not taken."""
    assert (await post(intake, "k-1", channel="fax")).status_code == 422
    assert (await post(intake, "k-1")).status_code == 202


@pytest.mark.parametrize("key", ["", " ", "a" * 256])
async def test_a_key_that_is_none_is_refused(intake: Intake, key: str) -> None:
    """Its fault is named."""
    answer = await post(intake, key)
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]
