"""Access to router's API on a real PostgreSQL: which key may read, act as whom, and lead."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from httpx import ASGITransport, AsyncClient, Response
from tests.chaos.random_actions import Router
from tests.integration.access.keyed_service import KeyedApi, ManualClock, bearer

from router.api.app import make_app
from router.domain.offers.rules import OfferRules
from shared.events import ticket_id_of
from shared.platform.access import Authenticator
from shared.platform.api_keys import EVERY, ApiKey, Scope
from shared.platform.postgres import now
from shared.testing.builders import a_specialist, a_ticket
from shared.testing.databases import FreshDatabase

T1: Final = ticket_id_of("test", "T1")
RULES: Final = OfferRules(rings={}).model_dump(mode="json")
ANN: Final = {"specialist_id": "ann"}
WHY: Final = {"reason": "other work first"}

type Call = tuple[str, str, dict[str, Any] | None]
"""Method, path and body of a request."""

ACTS_OF: Final[dict[Scope, list[Call]]] = {
    "desk:read": [
        ("GET", "queue", None),
        ("GET", "specialists", None),
        ("GET", "infeasible", None),
        ("GET", "callbacks", None),
        ("GET", "rules", None),
        ("GET", f"tickets/{T1}/decision", None),
    ],
    "desk:act": [
        ("GET", "offers?specialist_id=ann", None),
        ("POST", f"offers/{T1}/accept", ANN),
        ("POST", f"offers/{T1}/decline", ANN | WHY),
        ("POST", f"tickets/{T1}/decline", ANN | WHY),
        ("POST", f"tickets/{T1}/responded", ANN),
        ("POST", f"tickets/{T1}/confirm-severity", ANN),
        ("POST", f"tickets/{T1}/reclassify", ANN | {"severity": "standard"}),
        ("POST", f"tickets/{T1}/hand-back", ANN | WHY),
        ("POST", f"tickets/{T1}/hand-back", ANN | WHY | {"by": "ann"}),
        ("POST", f"tickets/{T1}/attempts", ANN | {"outcome": "busy"}),
        ("POST", "specialists/ann/presence", {"presence": "online"}),
    ],
    "desk:lead": [
        ("POST", f"tickets/{T1}/hand-back", ANN | WHY | {"by": "lea"}),
        ("POST", f"tickets/{T1}/move", WHY | {"to": "ben", "by": "lea"}),
        ("POST", f"tickets/{T1}/pin", WHY | {"to": "ben", "by": "lea"}),
        ("PUT", "rules", RULES),
    ],
}
ACTS: Final = "SELECT string_agg(kind || ' by ' || actor, ', ' ORDER BY act_id) FROM act"
RECORDED_BY: Final = """
    SELECT string_agg(fact ->> 'by', ', ')
    FROM (SELECT convert_from(value, 'UTF8')::json AS fact FROM outbox)
"""


@pytest.fixture
async def api(fresh: FreshDatabase) -> AsyncIterator[KeyedApi]:
    """Serve the API; two specialists are online, and one of them has a ticket."""
    db = Router(fresh.dsn)
    await db.start()
    async with db.transaction() as tx:
        events = [a_specialist("ann"), a_ticket("T1"), a_specialist("ben")]
        await db.routing.apply_events(tx, events, await now(tx))
    clock = ManualClock()
    access = Authenticator(db, clock)
    transport = ASGITransport(make_app(db, db.routing, access, []))
    async with AsyncClient(transport=transport, base_url="http://router") as http:
        yield KeyedApi("router", http, access, clock, fresh.owner_dsn)
    await db.stop()


async def request(api: KeyedApi, key: ApiKey, call: Call) -> Response:
    """Send a request with a key."""
    verb, path, body = call
    return await api.http.request(verb, f"/v1/{path}", json=body, headers=bearer(key))


def is_accepted(answer: Response) -> bool:
    """Return whether the key was accepted, whatever the outcome."""
    return answer.status_code not in {401, 403, 429}


@pytest.mark.parametrize("scope", ACTS_OF)
async def test_each_request_needs_its_scope(api: KeyedApi, scope: Scope) -> None:
    """A key with all other scopes is refused; the error names the missing scope."""
    others = await api.key("a", [other for other in ACTS_OF if other != scope], [EVERY])
    key = await api.key("b", [scope], ["ann"])
    for call in ACTS_OF[scope]:
        refused = await request(api, others, call)
        assert refused.status_code == 403, call
        assert f"--scope {scope}" in refused.json()["detail"]
        assert is_accepted(await request(api, key, call)), call


async def test_a_specialist_acts_for_themselves(api: KeyedApi) -> None:
    """As another specialist, the key has no effect."""
    bens = await api.key("bens-tool", ["desk:act"], ["ben"])
    for call in ACTS_OF["desk:act"]:
        refused = await request(api, bens, call)
        assert refused.status_code == 403, call
        assert refused.headers["content-type"] == "application/problem+json"
        assert "'ann'" in refused.json()["detail"]
        assert "premium keys create bens-tool NAME --service router" in refused.json()["detail"]
    assert await api.stored(ACTS) is None


async def test_a_key_for_all_specialists_acts_as_any(api: KeyedApi) -> None:
    """The front end of a team needs one key only."""
    key = await api.key("desk", ["desk:act"], [EVERY])
    for who in ("ann", "ben"):
        heartbeat = ("POST", f"specialists/{who}/presence", {"presence": "online"})
        assert (await request(api, key, heartbeat)).status_code == 204


async def test_a_leads_command_is_recorded_with_its_key(api: KeyedApi) -> None:
    """The record has the lead's name and the key; a repeated request is the same command."""
    key = await api.key("desk", ["desk:lead"])
    back, _, pin, _ = ACTS_OF["desk:lead"]
    for call in (back, back, pin):
        assert (await request(api, key, call)).status_code == 200
    lea = "lea (desk/test)"
    assert await api.stored(ACTS) == f"hand_back by {lea}, pin by {lea}"
    assert await api.stored(RECORDED_BY) == lea


async def test_the_pages_need_no_key(api: KeyedApi) -> None:
    """They use sessions; without the pages, nothing is found."""
    assert (await api.http.get("/inbox")).status_code == 404
