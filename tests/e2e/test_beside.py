"""A demo beside a stack in use: it touches nothing there, and refuses to play on it."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx
import pytest
from tests.e2e.conftest import running

from devstack.databases import DATABASES
from devstack.stack import Stack
from devstack.topics import topics
from lab.proof.pipeline import Pipeline
from lab.proof.tables import Tables
from lab.proof.wire import FACT_TOPICS, read_wire
from premium.broker import Broker
from shared.basics.clock import elapsed_s, wait_at_most

SECONDS_MAX: Final = 60
LOOK_S: Final = 0.05
LINK: Final = re.compile(r"^(?P<whose>[^:]+): (?P<link>http\S+)$")
PEOPLE: Final = {"Mara Kowalski, specialist", "Nora Lindqvist, lead"}

RUNNING: Final = ("watermark", "outbox", "consumer_offset")
"""What a stack at rest writes by itself: how far it has looked, and that on its way to a topic."""
SAYS_TIME: Final = "breaches.v1"
"""Grows by watermarks, which are none of the facts."""
TABLES: Final = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> ALL($1)
    ORDER BY table_name
"""
ROWS: Final = """
    SELECT md5(string_agg(row, '' ORDER BY row COLLATE "C"))
    FROM (SELECT md5((to_jsonb(t) - 'last_used_at')::text) AS row FROM "{table}" AS t) AS rows
"""
TIME: Final = "SELECT prosrc FROM pg_proc WHERE proname = 'premium_now'"


@dataclass(frozen=True)
class Played:
    """A demo that ended. ``links`` are those it printed, by whose they are."""

    code: int | None
    out: str
    links: dict[str, str]
    admitted: dict[str, list[int]]


async def demo(stack: Stack, *args: str) -> Played:
    """Play a day with a stack's folder as home, and follow each link twice meanwhile."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "premium", "demo", "--once", *args),
        env={**os.environ, "PREMIUM_HOME": str(stack.folder), "COLUMNS": "200"},
        stdout=PIPE,
        stderr=STDOUT,
    )
    assert process.stdout is not None
    lines: list[str] = []
    links: dict[str, str] = {}
    admitted: dict[str, list[int]] = {}
    async for line in process.stdout:
        lines.append(line.decode().rstrip())
        if found := LINK.match(lines[-1]):
            links[found["whose"]] = found["link"]
            admitted[found["whose"]] = [await signed_in(found["link"]) for _ in range(2)]
    return Played(await process.wait(), "\n".join(lines), links, admitted)


async def signed_in(link: str) -> int:
    """Sign in by a link from a browser that knows nobody; the last answer comes back."""
    since, status = elapsed_s(), 0
    while status != HTTPStatus.SEE_OTHER and elapsed_s(since) < SECONDS_MAX:
        origin = {"origin": link.partition("/sign-in")[0], "sec-fetch-site": "same-origin"}
        async with httpx.AsyncClient(timeout=SECONDS_MAX) as browser:
            status = (await browser.post(link, headers=origin)).status_code
        await wait_at_most(asyncio.Event().wait(), LOOK_S)
    return status


async def send(stack: Stack) -> None:
    """Send a request as a customer of the stack would."""
    place = f"{stack.addresses.http('intake')}/v1/tickets"
    request = {
        "source": "app-form",
        "external_id": "beside",
        "account_id": "northwind",
        "requester_id": "ada",
        "channel": "email",
        "subject": "Nobody can log in",
        "occurred_at": "2026-03-02T08:45:00Z",
    }
    async with httpx.AsyncClient(timeout=SECONDS_MAX) as http:
        answer = await http.post(place, json=request, headers=stack.addresses.headers("intake"))
    assert answer.status_code in {HTTPStatus.OK, HTTPStatus.ACCEPTED}, answer.text


async def fingerprint(stack: Stack) -> dict[str, str]:
    """Digest each table, each database's notion of time, and all topics of a stack at rest."""
    tables = Tables({name: stack.addresses.dsn(name, owner=True) for name in DATABASES})
    broker = Broker(stack.addresses.kafka_bootstrap)
    await tables.start()
    try:
        while await Pipeline(broker, tables).unrest() is not None:
            await wait_at_most(asyncio.Event().wait(), LOOK_S)
        found = {}
        for name, database in tables.databases.items():
            async with database.session() as session:
                found[f"{name}: time"] = await session.fetchval(TIME)
                for (table,) in await session.fetch(TABLES, RUNNING):
                    rows = await session.fetchval(ROWS.format(table=table))
                    found[f"{name}: {table}"] = str(rows)
        ends = await broker.ends(topic.name for topic in topics())
        facts = {place: end for place, end in ends.items() if place.topic in FACT_TOPICS}
        grown = {str(place): str(end) for place, end in ends.items() if place.topic != SAYS_TIME}
        return found | grown | {"facts": (await read_wire(broker.bootstrap, {}, facts)).digest}
    finally:
        await broker.close()
        await tables.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a stack of this file's own: time still changes what other tests leave on a shared one."""
    with running(tmp_path_factory.mktemp("beside")) as stack:
        yield stack


@pytest.fixture
async def used(stack: Stack) -> Stack:
    """Give a stack that holds a ticket of a customer."""
    await send(stack)
    return stack


async def test_a_demo_leaves_the_stack_beside_it_untouched(used: Stack) -> None:
    """Tables, topics and time are as before; each printed link says whose it is, and admits.

    It does so again after it was used, for as long as the demo plays.
    """
    before = await fingerprint(used)
    played = await demo(used)
    assert played.code == 0, played.out
    assert await fingerprint(used) == before
    assert played.links.keys() == PEOPLE
    assert set(map(tuple, played.admitted.values())) == {(HTTPStatus.SEE_OTHER,) * 2}
    assert not (used.folder / "demo").exists()


async def test_a_demo_refuses_a_stack_with_tickets_of_others(used: Stack) -> None:
    """Told to play here, it says how many there are and what to do, and changes nothing."""
    before = await fingerprint(used)
    played = await demo(used, "--here")
    assert played.code == 1
    assert re.search(
        r"premium: this stack holds \d+ tickets of others.* leave out --here", played.out
    )
    assert await fingerprint(used) == before
