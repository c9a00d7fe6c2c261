"""What the bench of intake sends, how it paces itself, and what it makes of what came back."""

import asyncio
import json
from datetime import UTC, datetime
from typing import override

import pytest

from lab.bench.intake import figures
from lab.bench.intake.door import HttpLine, prepared
from lab.bench.intake.floor import entries
from lab.bench.intake.order import Sent
from lab.bench.intake.pace import at_rate, saturated
from lab.bench.intake.trial import Backlog, Trial
from lab.bench.load import requests
from shared.basics.clock import wait_at_most

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WANTED = requests("run", [NOON] * 5, "en")


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))


class Slow:
    """A line on which each answer takes until the next turn of the loop, one after another."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.in_hand = 0

    async def ask(self, what: int) -> None:
        """Take one at a time, or fail."""
        assert not self.in_hand
        self.in_hand += 1
        await wait_at_most(asyncio.Event().wait(), 0)
        self.asked.append(what)
        self.in_hand -= 1


async def asked(line: HttpLine) -> asyncio.Task[None]:
    """Let a line ask, up to where it waits."""
    asking = asyncio.create_task(line.ask(b"GET"))
    await wait_at_most(asyncio.Event().wait(), 0)
    return asking


def trial(rate_hz: int, *latencies_ms: float) -> Trial:
    """Send for a second; intake takes half of it, PostgreSQL a quarter."""
    sent = Sent(took_s=1, cpu_s=0.1, latencies_ms=latencies_ms, refused=0)
    return Trial(rate_hz, sent, {"intake": 0.5, "postgres": 0.25})


def test_a_request_is_whole_on_the_wire() -> None:
    """The head says how long the body is, and the body is the request."""
    head, _, body = prepared(WANTED, "host:1", "pk_x", 1)[0].partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["external_id"] == "run-0"


def test_requests_go_together_as_asked() -> None:
    """Five in groups of two make three batches, the last of one."""
    bodies = [one.partition(b"\r\n\r\n")[2] for one in prepared(WANTED, "host:1", "pk_x", 2)]
    assert [len(json.loads(body)["tickets"]) for body in bodies] == [2, 2, 1]


def test_without_a_tag_none_is_sent() -> None:
    """Language is left out, so that intake has to read the text."""
    one = prepared(requests("run", [NOON], None), "host:1", "pk_x", 1)[0]
    assert b"language" not in one


async def test_an_answer_may_come_in_parts() -> None:
    """A line waits for the whole body, wherever the answer is cut."""
    line, wire = HttpLine(), Wire()
    line.connection_made(wire)
    asking = await asked(line)
    for part in (b"HTTP/1.1 202 Accepted\r\nContent-Le", b"ngth: 4\r\n\r\nok", b"ay"):
        assert not asking.done()
        line.data_received(part)
    await asking
    assert (wire.sent, line.refused) == ([b"GET"], 0)


async def test_a_refusal_is_counted() -> None:
    """What is not answered with 2xx is no throughput."""
    line = HttpLine()
    line.connection_made(Wire())
    asking = await asked(line)
    line.data_received(b"HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n")
    await asking
    assert line.refused == 1


async def test_a_line_that_is_closed_says_so() -> None:
    """Nobody waits for an answer that cannot come."""
    line = HttpLine()
    line.connection_made(Wire())
    asking = await asked(line)
    line.connection_lost(None)
    with pytest.raises(ConnectionError, match="closed"):
        await asking


async def test_saturated_lines_share_the_work() -> None:
    """Each request is asked once, and no line has two in hand."""
    lines = [Slow(), Slow()]
    took_ms = await saturated(lines, range(10))
    assert sorted([*lines[0].asked, *lines[1].asked]) == [*range(10)]
    assert len(took_ms) == 10


async def test_a_wait_for_a_line_counts() -> None:
    """At a rate, latency begins when a request should have been sent: all come, none negative."""
    line = Slow()
    took_ms = await at_rate([line], range(10), 100_000)
    assert line.asked == [*range(10)]
    assert min(took_ms) >= 0


def test_the_floor_has_an_entry_for_each_request() -> None:
    """Ids differ, so that no statement meets another's row."""
    assert len({one.document_id for one in entries(WANTED)}) == len(WANTED)


def test_costs_are_told_for_each_request() -> None:
    """Half a second of processor over 1,000 requests is half a millisecond, and 2,000 a core."""
    section = figures.saturated([trial(2000)], [trial(1000)], trial(800), 64)
    found = {figure.name: figure for figure in section.figures}
    wanted = ("intake, processor a request", "a core of intake would do", "sender")
    assert found["answered"].ratios == (0.5,)
    assert [found[name].ours[0] for name in wanted] == [0.5, 2000, 10]


def test_the_far_end_is_one_of_all_turns() -> None:
    """The median has a value a turn, p99 and greatest one of all together."""
    floor, ours = [trial(2, 1, 1), trial(2, 1, 1)], [trial(2, 2, 4), trial(2, 2, 8)]
    p50, p99, most = figures.at_half(floor, ours, 2).figures[:3]
    assert (p50.ours, len(p99.ours), most.ours) == ((3, 5), 1, (8,))


def test_a_backlog_is_counted_from_claim_to_claim() -> None:
    """10,000 claimed within a second, and in Kafka after two."""
    section = figures.inbound(Backlog(10_000, claimed_s=1, receipts_s=2, cpu_s=1))
    assert [figure.ours[0] for figure in section.figures] == [10_000, 5_000, 2, 0.1, 10_000]
