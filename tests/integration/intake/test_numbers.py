"""Telephone numbers: stored in intake only, and checked once the account's country is known."""

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
async def placed(empty_intake: Intake) -> Intake:
    """Run intake with an account in Germany."""
    await empty_intake.consume(listed(PLACED))
    return empty_intake


async def test_events_have_the_number_key_only(placed: Intake) -> None:
    """The receipt states how the number was parsed; only the details contain it."""
    receipt = await placed.post_request(**NATIONAL)
    assert receipt["number"] == {"country": "DE", "by": "account"}
    details = await placed.client.get(f"/v1/tickets/{receipt['ticket_id']}/details")
    assert details.json()["phone_number"] == BERLIN
    [fact] = await placed.announced("tickets.v1")
    number = number_of(SupportRequest.model_validate({**REQUEST, **NATIONAL}), PLACED)
    assert number is not None
    assert fact["number_key"] == KEYS.key(number)
    published = str([fact, *await placed.announced("receipts.v1")])
    assert "1234567" not in published


async def test_a_number_that_cannot_be_dialled_is_a_bad_field(placed: Intake) -> None:
    """The request is not saved: it may be sent again with a valid number."""
    for path in ("/v1/tickets", "/v1/tickets:batch"):
        request = {**REQUEST, **NATIONAL, "phone_number": "030"}
        document = {"tickets": [request]} if path.endswith("batch") else request
        answer = await placed.client.post(path, json=document)
        assert "phone_number" in answer.text
        assert "write it with +" in answer.text
    assert await placed.announced("tickets.v1") == []
    assert (await placed.post_request(**NATIONAL))["outcome"] == "accepted"


async def test_the_number_of_a_held_request_is_checked_with_the_account(
    empty_intake: Intake,
) -> None:
    """A number that is invalid in the account's country makes the held request rejected."""
    held = await empty_intake.post_request(**NATIONAL, region="DE")
    assert held["outcome"] == "held"
    await empty_intake.consume(listed(an_account(region="US")))
    receipt = await empty_intake.receipt()
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "bad_data")
    assert "phone_number" in receipt["remedy"]


async def test_a_customer_who_called_is_promised_no_callback(placed: Intake) -> None:
    """The request is accepted, and the event states that the customer dialled."""
    receipt = await placed.post_request(**NATIONAL, dialled=True)
    assert (receipt["outcome"], receipt["promises"]) == ("accepted", [])
    assert "called us" in receipt["no_promise"]
    [fact] = await placed.announced("tickets.v1")
    assert fact["dialled"] is True
    assert list(fact["if_reclassified"].values()) == [[]]
