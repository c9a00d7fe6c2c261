"""Later facts on a real PostgreSQL: duplicates, late replies, and the customer's texts."""

from typing import Any

import pytest
from tests.integration.intake.conftest import REQUEST, Intake
from tests.integration.intake.test_merges import TARGET, answered, fact, merged, ticket

from shared.events import PolicyPublished
from shared.sla.policies import Policy, default_policy
from shared.testing.builders import NOON

REPLY = fact("customer_replied", 30)


async def replies(intake: Intake) -> int:
    """Count the replies announced."""
    async with intake.db.session() as session:
        count: int = await session.fetchval(
            "SELECT count(*) FROM outbox WHERE topic = 'tickets.v1'"
            " AND headers::text LIKE '%customer.replied%'"
        )
    return count


@pytest.mark.parametrize("first", [{}, {"event_id": "a"}])
@pytest.mark.parametrize("second", [{}, {"event_id": "b"}])
async def test_the_same_fact_with_another_event_id_is_a_duplicate(
    intake: Intake, first: dict[str, str], second: dict[str, str]
) -> None:
    """Facts with equal type, time and content are one fact, announced once."""
    await intake.post_request()
    assert (await answered(intake, REPLY | first))["outcome"] == "accepted"
    elsewhere = {"occurred_at": "2026-03-02T13:30:00+01:00"}
    copy = await answered(intake, REPLY | second | elsewhere)
    assert (copy["outcome"], copy.get("reason")) == ("duplicate", None)
    assert await replies(intake) == 1


async def test_copies_in_one_batch_are_one_fact(intake: Intake) -> None:
    """With any event ids."""
    await intake.consume_documents(
        REQUEST, *({**REPLY, "event_id": name} for name in ("a", "b", "a")), REPLY
    )
    assert await replies(intake) == 1
    receipts = await intake.announced("receipts.v1")
    outcomes = [receipt["outcome"] for receipt in receipts if receipt["document"] != "request"]
    assert sorted(outcomes) == ["accepted", "duplicate", "duplicate", "duplicate"]


async def test_another_fact_with_the_same_event_id_is_refused(intake: Intake) -> None:
    """The first fact counts; the other is accepted with an id of its own."""
    await intake.post_request()
    await answered(intake, REPLY | {"event_id": "a"})
    other = fact("customer_replied", 31)
    refused = await answered(intake, other | {"event_id": "a"})
    assert (refused["outcome"], refused["reason"]) == ("duplicate", "other_content")
    assert (await answered(intake, other | {"event_id": "b"}))["outcome"] == "accepted"


@pytest.mark.parametrize(
    "change", [{"occurred_at": "2026-03-02T12:31:00Z"}, {"body": "It is worse."}]
)
async def test_a_fact_with_another_time_or_text_is_another_fact(
    intake: Intake, change: dict[str, str]
) -> None:
    """Both facts are accepted."""
    await intake.post_request()
    await answered(intake, REPLY)
    assert (await answered(intake, REPLY | change))["outcome"] == "accepted"


def reply_on(day: str) -> dict[str, Any]:
    """Make a customer's reply on a day."""
    return {**REPLY, "occurred_at": f"{day}T12:00:00Z"}


async def test_a_reply_long_after_the_closing_is_rejected(intake: Intake) -> None:
    """The remedy is a new request. After a reopening the same reply is accepted."""
    asked = "2026-01-01T12:00:00Z"
    await intake.post_request(occurred_at=asked)
    await answered(intake, {**fact("closed", 0), "occurred_at": asked})
    in_time = await answered(intake, reply_on("2026-01-30"))
    assert in_time["outcome"] == "accepted"
    await answered(intake, {**fact("closed", 0), "occurred_at": "2026-01-30T12:00:01Z"})
    late = reply_on("2026-03-02") | {"body": "Again!"}
    receipt = await answered(intake, late)
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "closed")
    assert "send a new request" in receipt["remedy"]
    assert (await answered(intake, late))["reason"] == "closed"
    await answered(intake, {**fact("reopened", 0), "occurred_at": "2026-03-01T12:00:00Z"})
    assert (await answered(intake, late))["outcome"] == "accepted"


async def test_the_policy_limits_how_long_a_reply_reopens(intake: Intake) -> None:
    """The policy at acceptance of the ticket counts."""
    policy = Policy.model_validate({**default_policy().document, "reopen_within": "1 h"})
    event = PolicyPublished(policy_id=policy.policy_id, version=policy.version, document=policy)
    await intake.publish(event, at=NOON)
    await intake.post_request()
    (accepted,) = [f for f in await intake.announced("tickets.v1") if "promises" in f]
    assert accepted["reopen_within_s"] == 3600
    await answered(intake, fact("closed", 1))
    assert (await answered(intake, fact("customer_replied", 9)))["outcome"] == "accepted"


async def test_the_texts_of_replies_are_in_the_details(intake: Intake) -> None:
    """In order of time, with those sent to a merged duplicate. They are not announced."""
    await intake.consume_documents(REQUEST, TARGET)
    await answered(intake, fact("customer_replied", 30, body="And Bob, too."))
    await answered(intake, fact("customer_replied", 20, body="Ann neither."))
    await answered(intake, merged(40))
    await answered(intake, fact("customer_replied", 50, body="Hello?"))
    read = await intake.client.get(f"/v1/tickets/{ticket('A-1')}/details")
    texts = ["Ann neither.", "And Bob, too.", "Hello?"]
    assert [one["body"] for one in read.json()["words"]] == texts
    read = await intake.client.get(f"/v1/tickets/{ticket('A-2')}/details")
    assert [(one["body"], one["written_on"]) for one in read.json()["words"]] == [
        ("Hello?", ticket("A-1"))
    ]
    announced = [*await intake.announced("tickets.v1"), *await intake.announced("receipts.v1")]
    assert not [one for one in announced if "Bob" in str(one)]


async def test_the_texts_of_replies_are_erased(intake: Intake) -> None:
    """Also of those that arrived before their request, or on a merged ticket."""
    await intake.consume_documents(fact("customer_replied", 20, body="Hello?"), REQUEST, TARGET)
    await answered(intake, merged(40))
    await answered(intake, fact("customer_replied", 50, body="Bob neither."))
    assert (await intake.client.delete("/v1/subjects/app-form/ada")).json() == {"tickets": 2}
    for name in ("A-1", "A-2"):
        read = await intake.client.get(f"/v1/tickets/{ticket(name)}/details")
        assert read.json()["words"] == []
    late = await answered(intake, fact("customer_replied", 55, body="Bob!"))
    assert (late["outcome"], late["reason"]) == ("rejected", "erased")


@pytest.mark.parametrize("kind", ["responded", "closed", "noted"])
async def test_only_a_reply_may_have_a_text(intake: Intake, kind: str) -> None:
    """The error names the field and the fault."""
    answer = await intake.client.post("/v1/events", json=fact(kind, 30, body="Hello?"))
    assert answer.status_code == 422
    assert "body goes with type customer_replied only" in answer.text
