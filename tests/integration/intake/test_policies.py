"""Policies on a real PostgreSQL: the latest one determines promises; old promises stay."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid5

from tests.integration.intake.conftest import Intake

from intake.store import tickets as ticket_store
from shared.events import NAMESPACE, Envelope, Event, PolicyPublished
from shared.sla.policies import Policy, default_policy
from shared.testing.builders import NOON

ANNOUNCED = """
    SELECT convert_from(value, 'UTF8')::json ->> 'policy' FROM outbox WHERE topic = 'tickets.v1'
"""
HOUR = timedelta(hours=1)
GOLD: Final = {"tier": "gold", "region": "DE-BY"}


def of_gold(target: str | None) -> Policy:
    """Make a policy that promises gold accounts a first response, or nothing."""
    rule: dict[str, Any] = {"name": "gold", "match": {"tier": "gold"}, "source": "contract"}
    if target is None:
        rule["no_promise"] = "gold is not sold yet"
    else:
        terms = {"kind": "first_response", "class": "guarantee", "calendar": "always"}
        rule["promises"] = [{**terms, "target": target}]
    built_in = default_policy().document
    return Policy.model_validate({**built_in, "rules": [rule, *built_in["rules"]]})


def published(policy: Policy, at: datetime) -> Envelope[Event]:
    """Make the event of a published policy."""
    event = PolicyPublished(policy_id=policy.policy_id, version=policy.version, document=policy)
    return Envelope(uuid5(NAMESPACE, f"{policy.version}{at}"), "test", at, event)


def due_at(answer: Any) -> datetime:  # noqa: ANN401 - as above
    """Read when the only promise is due."""
    [promise] = answer["promises"]
    return datetime.fromisoformat(promise["due_at"])


async def test_without_a_policy_the_built_in_one_prices(intake: Intake) -> None:
    """The event names the built-in policy."""
    answer = await intake.post_request(**GOLD)
    assert due_at(answer) == NOON + HOUR
    async with intake.db.session() as session:
        assert await session.fetchval(ANNOUNCED) == default_policy().version


async def test_the_policy_published_last_prices(intake: Intake) -> None:
    """In any order of arrival; a policy that is published again becomes the latest."""
    first, second = of_gold("20 min"), of_gold("10 min")
    await intake.consume(published(second, NOON), published(first, NOON - HOUR))
    assert due_at(await intake.post_request(**GOLD)) == NOON + timedelta(minutes=10)
    await intake.consume(published(first, NOON + HOUR))
    assert due_at(await intake.post_request(external_id="A-2", **GOLD)) == NOON + timedelta(
        minutes=20
    )


async def test_a_duplicate_gets_the_first_receipt(intake: Intake) -> None:
    """Its promises do not change, although another policy was published meanwhile."""
    first = await intake.post_request(**GOLD)
    await intake.consume(published(of_gold("10 min"), NOON))
    again = await intake.post_request(**GOLD)
    assert again == {**first, "outcome": "duplicate", "duplicate_of": "accepted"}


async def test_nothing_promised_is_a_ticket_with_its_reason(intake: Intake) -> None:
    """The receipt and the ticket have the policy's reason."""
    await intake.consume(published(of_gold(None), NOON))
    answer = await intake.post_request(**GOLD)
    assert (answer["promises"], answer["no_promise"]) == ([], "gold is not sold yet")
    ticket = (await intake.client.get(f"/v1/tickets/{answer['ticket_id']}")).json()
    assert (ticket["rule"], ticket["no_promise"]) == ("gold", "gold is not sold yet")
    assert (ticket["tier"], ticket["region"]) == ("gold", "DE-BY")


async def test_a_stored_policy_is_unchanged(intake: Intake) -> None:
    """The policy that is read back has the same version."""
    policy = of_gold("10 min")
    await intake.consume(published(policy, NOON))
    async with intake.db.transaction() as tx:
        assert (await ticket_store.current_terms(tx)).policy.version == policy.version
