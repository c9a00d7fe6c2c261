"""Telephone numbers at intake's door: kept here alone, judged where the country is known."""

from typing import Any, Final

import pytest
from tests.integration.intake.conftest import KEYS, REQUEST, Intake, listed

from intake.domain import number_of
from shared.events import SupportRequest
from shared.testing.builders import an_account

BERLIN: Final = "+49301234567"
NATIONAL: Final[dict[str, Any]] = {"channel": "phone", "phone_number": "030 1234567"}
PLACED: Final = an_account(region="DE")


@pytest.fixture
async def placed(stranger: Intake) -> Intake:
    """Run intake, which knows an account in Germany."""
    await stranger.take(listed(PLACED))
    return stranger


async def test_the_number_stays_here_and_its_key_goes_out(placed: Intake) -> None:
    """The receipt says how it was read, the details have it, facts have a digest."""
    receipt = await placed.ask(**NATIONAL)
    assert receipt["number"] == {"country": "DE", "by": "account"}
    details = await placed.client.get(f"/v1/tickets/{receipt['ticket_id']}/details")
    assert details.json()["phone_number"] == BERLIN
    [fact] = await placed.said("tickets.v1")
    number = number_of(SupportRequest.model_validate({**REQUEST, **NATIONAL}), PLACED)
    assert number is not None
    assert fact["number_key"] == KEYS.key(number)
    said = str([fact, *await placed.said("receipts.v1")])
    assert "1234567" not in said


async def test_a_number_that_cannot_be_dialled_is_a_bad_field(placed: Intake) -> None:
    """Nothing is kept of it: the same name may come again with a better number."""
    for door in ("/v1/tickets", "/v1/tickets:batch"):
        asked = {**REQUEST, **NATIONAL, "phone_number": "030"}
        document = {"tickets": [asked]} if door.endswith("batch") else asked
        answer = await placed.client.post(door, json=document)
        assert "phone_number" in answer.text
        assert "write it with +" in answer.text
    assert await placed.said("tickets.v1") == []
    assert (await placed.ask(**NATIONAL))["outcome"] == "accepted"


async def test_a_number_that_waited_for_its_account_is_judged_with_it(stranger: Intake) -> None:
    """Where the account's country makes it none, the held request is rejected."""
    held = await stranger.ask(**NATIONAL, region="DE")
    assert held["outcome"] == "held"
    await stranger.take(listed(an_account(region="US")))
    receipt = await stranger.receipt()
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "bad_data")
    assert "phone_number" in receipt["remedy"]


async def test_who_dials_is_promised_no_call(placed: Intake) -> None:
    """It is a ticket all the same, and the fact says that they called."""
    receipt = await placed.ask(**NATIONAL, dialled=True)
    assert (receipt["outcome"], receipt["promises"]) == ("accepted", [])
    assert "called us" in receipt["no_promise"]
    [fact] = await placed.said("tickets.v1")
    assert fact["dialled"] is True
    assert list(fact["if_reclassified"].values()) == [[]]
