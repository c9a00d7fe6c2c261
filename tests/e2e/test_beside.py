"""A demo next to a used stack changes nothing there, and refuses to run on it."""

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
from lab.broker import Broker
from lab.proof.pipeline import Pipeline
from lab.proof.published import FACT_TOPICS, read_published
from lab.proof.tables import Tables
from shared.basics.clock import elapsed_s, wait_at_most

SECONDS_MAX: Final = 60
POLL_S: Final = 0.05
LINK: Final = re.compile(r"^(?P<whose>[^:]+): (?P<link>http\S+)$")
PEOPLE: Final = {"Mara Kowalski, specialist", "Nora Lindqvist, lead"}

RUNNING: Final = ("watermark", "outbox", "consumer_offset")
"""Tables that an idle stack changes: watermarks, and their records on the way to a topic."""
WATERMARK_TOPIC: Final = "breaches.v1"
"""Grows by watermarks, which do not count as facts."""
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
class FinishedDemo:
    """A finished demo, with the printed links and their HTTP statuses, by person."""

    code: int | None
    out: str
    links: dict[str, str]
    statuses: dict[str, list[int]]


async def demo(stack: Stack, *args: str) -> FinishedDemo:
    """Run a day with a stack's folder as home, and use each link twice meanwhile."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "premium", "demo", "--once", *args),
        env={**os.environ, "PREMIUM_HOME": str(stack.folder), "COLUMNS": "200"},
        stdout=PIPE,
        stderr=STDOUT,
    )
    assert process.stdout is not None
    lines: list[str] = []
    links: dict[str, str] = {}
    statuses: dict[str, list[int]] = {}
    async for line in process.stdout:
        lines.append(line.decode().rstrip())
        if found := LINK.match(lines[-1]):
            links[found["whose"]] = found["link"]
            statuses[found["whose"]] = [await signed_in(found["link"]) for _ in range(2)]
    return FinishedDemo(await process.wait(), "\n".join(lines), links, statuses)


async def signed_in(link: str) -> int:
    """Sign in by a link in a new browser; return the last HTTP status."""
    since, status = elapsed_s(), 0
    while status != HTTPStatus.SEE_OTHER and elapsed_s(since) < SECONDS_MAX:
        origin = {"origin": link.partition("/sign-in")[0], "sec-fetch-site": "same-origin"}
        async with httpx.AsyncClient(timeout=SECONDS_MAX) as browser:
            status = (await browser.post(link, headers=origin)).status_code
        await wait_at_most(asyncio.Event().wait(), POLL_S)
    return status


async def send(stack: Stack) -> None:
    """Send a request as a customer."""
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
    """Return digests of an idle stack's tables, time functions and topics."""
    tables = Tables({name: stack.addresses.dsn(name, owner=True) for name in DATABASES})
    broker = Broker(stack.addresses.kafka_bootstrap)
    await tables.start()
    try:
        while await Pipeline(broker, tables).unrest() is not None:
            await wait_at_most(asyncio.Event().wait(), POLL_S)
        found = {}
        for name, database in tables.databases.items():
            async with database.session() as session:
                found[f"{name}: time"] = await session.fetchval(TIME)
                for (table,) in await session.fetch(TABLES, RUNNING):
                    rows = await session.fetchval(ROWS.format(table=table))
                    found[f"{name}: {table}"] = str(rows)
        ends = await broker.ends(topic.name for topic in topics())
        facts = {place: end for place, end in ends.items() if place.topic in FACT_TOPICS}
        grown = {
            str(place): str(end) for place, end in ends.items() if place.topic != WATERMARK_TOPIC
        }
        return found | grown | {"facts": (await read_published(broker.bootstrap, {}, facts)).digest}
    finally:
        await broker.close()
        await tables.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a separate stack, because tickets of other tests on a shared one would still change."""
    with running(tmp_path_factory.mktemp("beside")) as stack:
        yield stack


@pytest.fixture
async def used(stack: Stack) -> Stack:
    """Return a stack with a customer's ticket."""
    await send(stack)
    return stack


async def test_a_demo_does_not_change_the_stack_beside_it(used: Stack) -> None:
    """Tables, topics and time are unchanged; each printed link has its person, and signs in.

    It does so repeatedly while the demo runs.
    """
    before = await fingerprint(used)
    finished = await demo(used)
    assert finished.code == 0, finished.out
    assert await fingerprint(used) == before
    assert finished.links.keys() == PEOPLE
    assert set(map(tuple, finished.statuses.values())) == {(HTTPStatus.SEE_OTHER,) * 2}
    assert not (used.folder / "demo").exists()


async def test_a_demo_refuses_a_stack_with_other_tickets(used: Stack) -> None:
    """With `--here` it prints their number and what to do, and changes nothing."""
    before = await fingerprint(used)
    finished = await demo(used, "--here")
    assert finished.code == 1
    assert re.search(
        r"premium: this stack has \d+ tickets of other sources.* leave out --here", finished.out
    )
    assert await fingerprint(used) == before
