"""Intake on a real PostgreSQL: the policy published last prices, and answers keep their word."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid5

from httpx import AsyncClient

from intake import handlers, store
from shared.events import NAMESPACE, Envelope, Event, PolicyPublished
from shared.policies import Policy, default_policy
from shared.postgres import Database
from shared.testing.builders import NOON

REQUEST: Final[dict[str, Any]] = {
    "source": "app-form",
    "external_id": "A-1",
    "account_id": "northwind",
    "requester_id": "ada",
    "role": "super_admin",
    "channel": "email",
    "language": "en",
    "tier": "gold",
    "region": "DE-BY",
    "subject": "Login",
    "occurred_at": "2026-03-02T12:00:00Z",
}
ANNOUNCED = "SELECT convert_from(value, 'UTF8')::json ->> 'policy' FROM outbox"
HOUR = timedelta(hours=1)


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


async def take(db: Database, *policies: Envelope[Event]) -> None:
    """Let policies have come."""
    async with db.transaction() as tx:
        await handlers.take(tx, policies, NOON)


async def ask(client: AsyncClient, **changes: str) -> Any:  # noqa: ANN401 - an answer is JSON
    """Send the request; the answer comes back."""
    answer = await client.post("/v1/tickets", json={**REQUEST, **changes})
    assert answer.status_code in {200, 202}, answer.text
    return answer.json()


def due_at(answer: Any) -> datetime:  # noqa: ANN401 - as above
    """Read when the only promise is due."""
    [promise] = answer["promises"]
    return datetime.fromisoformat(promise["due_at"])


async def test_without_a_policy_the_built_in_one_prices(db: Database, client: AsyncClient) -> None:
    """And the fact says which it was."""
    answer = await ask(client)
    assert due_at(answer) == NOON + HOUR
    async with db.session() as session:
        assert await session.fetchval(ANNOUNCED) == default_policy().version


async def test_the_policy_published_last_prices(db: Database, client: AsyncClient) -> None:
    """Whatever the order in which they come; one that is published again is the latest."""
    first, second = of_gold("20 min"), of_gold("10 min")
    await take(db, published(second, NOON), published(first, NOON - HOUR))
    assert due_at(await ask(client)) == NOON + timedelta(minutes=10)
    await take(db, published(first, NOON + HOUR))
    assert due_at(await ask(client, external_id="A-2")) == NOON + timedelta(minutes=20)


async def test_a_copy_is_answered_as_the_first_was(db: Database, client: AsyncClient) -> None:
    """What was promised stays promised, though another policy holds by now."""
    first = await ask(client)
    await take(db, published(of_gold("10 min"), NOON))
    again = await ask(client)
    assert again == {**first, "outcome": "duplicate"}


async def test_nothing_promised_is_a_ticket_with_its_reason(
    db: Database, client: AsyncClient
) -> None:
    """The answer says why, now and later."""
    await take(db, published(of_gold(None), NOON))
    answer = await ask(client)
    assert (answer["promises"], answer["no_promise"]) == ([], "gold is not sold yet")
    kept = (await client.get(f"/v1/tickets/{answer['ticket_id']}")).json()
    assert (kept["rule"], kept["no_promise"]) == ("gold", "gold is not sold yet")
    assert (kept["tier"], kept["region"]) == ("gold", "DE-BY")


async def test_a_kept_policy_is_the_one_that_came(db: Database) -> None:
    """Its version is that of what is read back."""
    policy = of_gold("10 min")
    await take(db, published(policy, NOON))
    async with db.transaction() as tx:
        assert (await store.current_policy(tx)).version == policy.version
