"""Router's door on a real PostgreSQL: which key may see the desk, and act as whom."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from httpx import ASGITransport, AsyncClient, Response
from tests.chaos.random_actions import Router
from tests.integration.access.keyed_service import Door, Hand, shown

from router.api.app import make_app
from router.domain.offers.rules import OfferRules
from router.store.access import specialists_of
from shared.events import ticket_id_of
from shared.platform.access import Access
from shared.platform.api_keys import EVERY, ApiKey, Scope
from shared.platform.postgres import now
from shared.testing.builders import a_specialist, a_ticket
from shared.testing.databases import FreshDatabase

T1: Final = ticket_id_of("test", "T1")
RULES: Final = OfferRules(rings={}).model_dump(mode="json")
ANN: Final = {"specialist_id": "ann"}
WHY: Final = {"reason": "other work first"}

type Ask = tuple[str, str, dict[str, Any] | None]
"""Verb, path, body."""

ACTS_OF: Final[dict[Scope, list[Ask]]] = {
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
TOLD_BY: Final = """
    SELECT string_agg(fact ->> 'by', ', ')
    FROM (SELECT convert_from(value, 'UTF8')::json AS fact FROM outbox)
"""


@pytest.fixture
async def door(fresh: FreshDatabase) -> AsyncIterator[Door]:
    """Open the door; two people are there, and one of them has a ticket."""
    db = Router(fresh.dsn)
    await db.start()
    async with db.transaction() as tx:
        told = [a_specialist("ann"), a_ticket("T1"), a_specialist("ben")]
        await db.routing.apply_events(tx, told, await now(tx))
    hand = Hand()
    access = Access(db, specialists_of, hand)
    transport = ASGITransport(make_app(db, db.routing, access, []))
    async with AsyncClient(transport=transport, base_url="http://router") as http:
        yield Door("router", http, access, hand, fresh.owner_dsn)
    await db.stop()


async def asked(door: Door, key: ApiKey, ask: Ask) -> Response:
    """Ask for something."""
    verb, path, body = ask
    return await door.http.request(verb, f"/v1/{path}", json=body, headers=shown(key))


def is_let_in(answer: Response) -> bool:
    """Tell who was refused from who was heard, whatever came of it."""
    return answer.status_code not in {401, 403, 429}


@pytest.mark.parametrize("scope", ACTS_OF)
async def test_each_act_needs_its_scope(door: Door, scope: Scope) -> None:
    """With all the others it is refused, and the answer names the one that is missing."""
    others = await door.key("a", [other for other in ACTS_OF if other != scope], [EVERY])
    key = await door.key("b", [scope], ["ann"])
    for ask in ACTS_OF[scope]:
        refused = await asked(door, others, ask)
        assert refused.status_code == 403, ask
        assert f"--scope {scope}" in refused.json()["detail"]
        assert is_let_in(await asked(door, key, ask)), ask


async def test_a_specialist_acts_for_themselves(door: Door) -> None:
    """As somebody else a key does nothing."""
    bens = await door.key("bens-tool", ["desk:act"], ["ben"])
    for ask in ACTS_OF["desk:act"]:
        refused = await asked(door, bens, ask)
        assert refused.status_code == 403, ask
        assert refused.headers["content-type"] == "application/problem+json"
        assert "'ann'" in refused.json()["detail"]
        assert "premium keys create bens-tool NAME --service router" in refused.json()["detail"]
    assert await door.told(ACTS) is None


async def test_a_desk_acts_for_everybody(door: Door) -> None:
    """Who is the front end of a team has one key for all."""
    desk = await door.key("desk", ["desk:act"], [EVERY])
    for who in ("ann", "ben"):
        said = ("POST", f"specialists/{who}/presence", {"presence": "online"})
        assert (await asked(door, desk, said)).status_code == 204


async def test_a_leads_act_is_on_record_with_the_key_it_came_by(door: Door) -> None:
    """Whom the sender says it was, and whose word that is; the second click is the same act."""
    key = await door.key("desk", ["desk:lead"])
    back, _, pin, _ = ACTS_OF["desk:lead"]
    for ask in (back, back, pin):
        assert (await asked(door, key, ask)).status_code == 200
    lea = "lea (desk/test)"
    assert await door.told(ACTS) == f"hand_back by {lea}, pin by {lea}"
    assert await door.told(TOLD_BY) == lea


async def test_the_pages_want_no_key(door: Door) -> None:
    """They know their visitors by session; where there are none, nothing is found."""
    assert (await door.http.get("/inbox")).status_code == 404
