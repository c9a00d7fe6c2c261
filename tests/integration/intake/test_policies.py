"""Intake on a real PostgreSQL: the policy published last prices, and answers keep their word."""

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
    """Promise gold accounts a first response, or nothing."""
    rule: dict[str, Any] = {"name": "gold", "match": {"tier": "gold"}, "source": "contract"}
    if target is None:
        rule["no_promise"] = "gold is not sold yet"
    else:
        terms = {"kind": "first_response", "class": "guarantee", "calendar": "always"}
        rule["promises"] = [{**terms, "target": target}]
    built_in = default_policy().document
    return Policy.model_validate({**built_in, "rules": [rule, *built_in["rules"]]})


def published(policy: Policy, at: datetime) -> Envelope[Event]:
    """Publish a policy."""
    event = PolicyPublished(policy_id=policy.policy_id, version=policy.version, document=policy)
    return Envelope(uuid5(NAMESPACE, f"{policy.version}{at}"), "test", at, event)


def due_at(answer: Any) -> datetime:  # noqa: ANN401 - as above
    """Read when the only promise is due."""
    [promise] = answer["promises"]
    return datetime.fromisoformat(promise["due_at"])


async def test_without_a_policy_the_built_in_one_prices(intake: Intake) -> None:
    """And the fact says which it was."""
    answer = await intake.ask(**GOLD)
    assert due_at(answer) == NOON + HOUR
    async with intake.db.session() as session:
        assert await session.fetchval(ANNOUNCED) == default_policy().version


async def test_the_policy_published_last_prices(intake: Intake) -> None:
    """Whatever the order in which they come; one that is published again is the latest."""
    first, second = of_gold("20 min"), of_gold("10 min")
    await intake.take(published(second, NOON), published(first, NOON - HOUR))
    assert due_at(await intake.ask(**GOLD)) == NOON + timedelta(minutes=10)
    await intake.take(published(first, NOON + HOUR))
    assert due_at(await intake.ask(external_id="A-2", **GOLD)) == NOON + timedelta(minutes=20)


async def test_a_copy_is_answered_as_the_first_was(intake: Intake) -> None:
    """What was promised stays promised, though another policy holds by now."""
    first = await intake.ask(**GOLD)
    await intake.take(published(of_gold("10 min"), NOON))
    again = await intake.ask(**GOLD)
    assert again == {**first, "outcome": "duplicate", "duplicate_of": "accepted"}


async def test_nothing_promised_is_a_ticket_with_its_reason(intake: Intake) -> None:
    """The answer says why, now and later."""
    await intake.take(published(of_gold(None), NOON))
    answer = await intake.ask(**GOLD)
    assert (answer["promises"], answer["no_promise"]) == ([], "gold is not sold yet")
    kept = (await intake.client.get(f"/v1/tickets/{answer['ticket_id']}")).json()
    assert (kept["rule"], kept["no_promise"]) == ("gold", "gold is not sold yet")
    assert (kept["tier"], kept["region"]) == ("gold", "DE-BY")


async def test_a_kept_policy_is_the_one_that_came(intake: Intake) -> None:
    """Its version is that of what is read back."""
    policy = of_gold("10 min")
    await intake.take(published(policy, NOON))
    async with intake.db.transaction() as tx:
        assert (await ticket_store.current_terms(tx)).policy.version == policy.version
