"""Hostile input to router's API and pages: it is refused and never causes a fault."""

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
from tests.browser.inbox_server import InboxServer, serving_inbox
from tests.integration.hostile import Spoiled, faults, spoiled_bodies, spoiled_targets
from tests.integration.router.keys import key_for_all_specialists

from shared.events import ticket_id_of
from shared.testing.builders import a_specialist, a_ticket
from shared.testing.databases import FreshDatabase

T1: Final = ticket_id_of("test", "T1")
BAD: Final = ("%00", "a%00b", "%FF", "100000000000000000000", "-1", "x" * 5_000)
PAGES: Final = ("/inbox", "/inbox/lead", f"/inbox/tickets/{T1}")
ASKED: Final = ("of", "team", "page", "channel", "language", "sort", "ticket", "unknown")
ACTS: Final = ("accept", "decline", "hand-back", "move", "pin", "attempt", "reclassify", "%00")
FIELDS: Final = ("turn", "reason", "to", "outcome", "severity", "offer", "from_list", "unknown")


@pytest.fixture
async def desk(fresh: FreshDatabase) -> AsyncIterator[InboxServer]:
    """Serve API and pages; ann has a ticket."""
    async with serving_inbox(fresh) as desk:
        await desk.handle(a_specialist("ann"), a_ticket("T1"))
        yield desk


@pytest.fixture
async def client(desk: InboxServer, fresh: FreshDatabase) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that may act as any specialist."""
    headers = {"authorization": f"Bearer {await key_for_all_specialists(fresh)}"}
    async with httpx.AsyncClient(base_url=desk.address, headers=headers) as client:
        yield client


async def test_hostile_input_to_the_api_is_a_client_error(client: httpx.AsyncClient) -> None:
    """In paths, queries, headers and bodies."""
    document = (await client.get("/openapi.json")).json()
    spoiled = [*spoiled_targets(document), *spoiled_bodies(document)]
    assert len(spoiled) > 500
    assert await faults(client, spoiled) == []


async def test_hostile_input_to_the_pages_is_a_client_error(
    client: httpx.AsyncClient, desk: InboxServer
) -> None:
    """In the URL of a page, in a form and in a sign-in link."""
    page = await client.post(await desk.link("ann", lead=True), follow_redirects=True)
    [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', page.text)
    client.headers["x-csrf-token"] = token
    looks = [
        Spoiled("get", f"{p}?{q}={bad}", None, "") for p in PAGES for q in ASKED for bad in BAD
    ]
    links = [
        Spoiled(method, f"{place}{bad}", None, "")
        for method in ("get", "post")
        for place in ("/sign-in/link/", "/sign-in?next=", "/static/x/", "/docs/", "/inbox/tickets/")
        for bad in BAD
    ]
    assert await faults(client, [*looks, *links]) == []
    client.headers["content-type"] = "application/x-www-form-urlencoded"
    acts = [
        Spoiled("post", f"/inbox/tickets/{T1}/{act}", f"turn=1&{name}={bad}".encode(), name)
        for act in ACTS
        for name in FIELDS
        for bad in (*BAD, "\x00")
    ]
    acts += [Spoiled("post", "/inbox/presence", f"presence={bad}".encode(), "") for bad in BAD]
    assert await faults(client, acts) == []
