"""bench-intake encodes requests, sends them at a rate, and computes figures."""

import asyncio
import json
from datetime import UTC, datetime
from typing import override

import pytest

from lab.bench.intake import figures
from lab.bench.intake.baseline import entries
from lab.bench.intake.http_client import HttpConnection, prepared
from lab.bench.intake.load_patterns import at_rate, saturated
from lab.bench.intake.load_spec import LoadResult
from lab.bench.intake.trial import Backlog, Trial
from lab.bench.load import requests
from shared.basics.clock import wait_at_most

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WANTED = requests("run", [NOON] * 5, "en")


class PublishedFacts(asyncio.Transport):
    """Keeps the sent bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))


class Slow:
    """A connection whose answers come one after another, each in the next turn of the loop."""

    def __init__(self) -> None:
        self.requests: list[int] = []
        self.open = 0

    async def send(self, what: int) -> None:
        """Handle one request at a time; fail if there are two."""
        assert not self.open
        self.open += 1
        await wait_at_most(asyncio.Event().wait(), 0)
        self.requests.append(what)
        self.open -= 1


async def sending(connection: HttpConnection) -> asyncio.Task[None]:
    """Send a request, and wait until the connection waits for the answer."""
    queries = asyncio.create_task(connection.send(b"GET"))
    await wait_at_most(asyncio.Event().wait(), 0)
    return queries


def trial(rate_hz: int, *latencies_ms: float) -> Trial:
    """Make a trial of one second: intake uses half of it, PostgreSQL a quarter."""
    sent = LoadResult(took_s=1, cpu_s=0.1, latencies_ms=latencies_ms, refused=0)
    return Trial(rate_hz, sent, {"intake": 0.5, "postgres": 0.25})


def test_an_encoded_request_is_complete() -> None:
    """The head has the body's length, and the body is the request."""
    head, _, body = prepared(WANTED, "host:1", "pk_x", 1)[0].partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["external_id"] == "run-0"


def test_requests_are_batched() -> None:
    """Five requests, two per batch, make three batches, the last with one."""
    bodies = [one.partition(b"\r\n\r\n")[2] for one in prepared(WANTED, "host:1", "pk_x", 2)]
    assert [len(json.loads(body)["tickets"]) for body in bodies] == [2, 2, 1]


def test_a_request_without_a_language_tag_has_none() -> None:
    """So intake must detect the language."""
    one = prepared(requests("run", [NOON], None), "host:1", "pk_x", 1)[0]
    assert b"language" not in one


async def test_an_answer_may_come_in_parts() -> None:
    """The connection waits for the whole body, however the answer is split."""
    connection, published = HttpConnection(), PublishedFacts()
    connection.connection_made(published)
    queries = await sending(connection)
    for part in (b"HTTP/1.1 202 Accepted\r\nContent-Le", b"ngth: 4\r\n\r\nok", b"ay"):
        assert not queries.done()
        connection.data_received(part)
    await queries
    assert (published.sent, connection.refused) == ([b"GET"], 0)


async def test_a_refusal_is_counted() -> None:
    """An answer other than 2xx counts as refused."""
    connection = HttpConnection()
    connection.connection_made(PublishedFacts())
    queries = await sending(connection)
    connection.data_received(b"HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n")
    await queries
    assert connection.refused == 1


async def test_a_closed_connection_raises() -> None:
    """The sender does not wait for an answer that cannot come."""
    connection = HttpConnection()
    connection.connection_made(PublishedFacts())
    queries = await sending(connection)
    connection.connection_lost(None)
    with pytest.raises(ConnectionError, match="closed"):
        await queries


async def test_saturated_connections_share_the_requests() -> None:
    """Each request is sent once, and no connection has two open."""
    connections = [Slow(), Slow()]
    took_ms = await saturated(connections, range(10))
    assert sorted([*connections[0].requests, *connections[1].requests]) == [*range(10)]
    assert len(took_ms) == 10


async def test_waiting_for_a_connection_counts() -> None:
    """At a rate, latency begins when a request should have been sent, and is never negative."""
    connection = Slow()
    took_ms = await at_rate([connection], range(10), 100_000)
    assert connection.requests == [*range(10)]
    assert min(took_ms) >= 0


def test_the_baseline_has_an_entry_for_each_request() -> None:
    """Ids differ, so no statements conflict."""
    assert len({one.document_id for one in entries(WANTED)}) == len(WANTED)


def test_costs_are_per_request() -> None:
    """Half a second of processor time for 1,000 requests is half a millisecond each."""
    section = figures.saturated([trial(2000)], [trial(1000)], trial(800), 64)
    found = {figure.name: figure for figure in section.figures}
    wanted = ("intake, processor a request", "one core of intake would process", "sender")
    assert found["answered"].ratios == (0.5,)
    assert [found[name].ours[0] for name in wanted] == [0.5, 2000, 10]


def test_p99_and_maximum_are_those_of_all_repeats() -> None:
    """The median has a value for each repeat, p99 and maximum one for all."""
    baseline, ours = [trial(2, 1, 1), trial(2, 1, 1)], [trial(2, 2, 4), trial(2, 2, 8)]
    p50, p99, most = figures.at_half(baseline, ours, 2).figures[:3]
    assert (p50.ours, len(p99.ours), most.ours) == ((3, 5), 1, (8,))


def test_a_backlog_has_two_rates() -> None:
    """10,000 records are claimed within a second, and their receipts published after two."""
    section = figures.inbound(Backlog(10_000, claimed_s=1, receipts_s=2, cpu_s=1))
    assert [figure.ours[0] for figure in section.figures] == [10_000, 5_000, 2, 0.1, 10_000]
