"""Senders that repeat, overload, stall or send late do not affect others."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from struct import pack
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from httpx import AsyncClient, Response
from tests.integration.intake.conftest import REQUEST, Intake, listed, save_connections
from tests.integration.intake.intake_process import serving
from tests.integration.intake.test_webhooks import (
    HUBSPOT_PATH,
    KEY,
    MS,
    REPLY,
    SIGNED_PATH,
    WHSEC,
    S,
    created,
    examples,
    outcomes,
)

from intake.webhooks import hubspot, standard
from shared.events.codec import VALUE_BYTES_MAX
from shared.platform import idempotency
from shared.platform.idempotency import make_key
from shared.platform.limits import Limits
from shared.testing.builders import NOON, an_account
from shared.testing.databases import FreshDatabase
from shared.testing.keys import new_key

HUBSPOT_URL: Final = "https://support.example.com" + HUBSPOT_PATH
REQUESTS_MAX: Final = 8
TASKS: Final = 10 * REQUESTS_MAX
EACH: Final = 5
RSS_BYTES_MAX: Final = 128 * 1024 * 1024
OLDER: Final = "UPDATE idempotency_key SET kept_at = kept_at - interval '7 days 1 second'"
INCONSISTENT: Final = """
    SELECT count(*) FROM ticket FULL JOIN request USING (ticket_id)
    WHERE ticket.ticket_id IS NULL OR request.ticket_id IS NULL
"""


async def post(intake: Intake, key: str, **changes: object) -> Any:  # noqa: ANN401 - a response
    """Post the request with an Idempotency-Key."""
    return await intake.client.post(
        "/v1/tickets", json={**REQUEST, **changes}, headers={"Idempotency-Key": key}
    )


async def test_a_hundred_concurrent_requests_with_one_key_get_equal_answers(
    intake: Intake,
) -> None:
    """They make one ticket, and the responses are equal byte for byte."""
    answers = await asyncio.gather(*(post(intake, "k-1") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert len(await intake.announced("tickets.v1")) == 1


async def test_a_key_with_another_body_is_refused(intake: Intake) -> None:
    """422 names the header; nothing is accepted."""
    await post(intake, "k-1")
    answer = await post(intake, "k-1", external_id="A-2")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert len(await intake.announced("tickets.v1")) == 1


async def test_a_key_whose_first_request_is_in_progress_is_refused(intake: Intake) -> None:
    """After two seconds: 409, with the time after which to try again."""
    async with intake.db.transaction() as tx:
        await idempotency.claim(tx, [make_key("k-1", b"", "tenant", "northwind").digest])
        answer = await post(intake, "k-1")
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")


async def test_a_refused_request_does_not_use_its_key(intake: Intake) -> None:
    """The key may be used again with a corrected request."""
    assert (await post(intake, "k-1", channel="fax")).status_code == 422
    assert (await post(intake, "k-1")).status_code == 202


async def test_after_seven_days_a_key_is_new(intake: Intake) -> None:
    """The request itself is still known by its source and external id."""
    await post(intake, "k-1")
    async with intake.db.transaction() as tx:
        await tx.execute(OLDER)
        assert await idempotency.prune(tx, limit=10) == 1
    assert (await post(intake, "k-1")).json()["outcome"] == "duplicate"
    assert (await post(intake, "k-1", external_id="A-2")).status_code == 422


async def test_a_batch_is_answered_from_what_was_kept(intake: Intake) -> None:
    """Also its faults; as data, from which each response is rendered."""
    batch = {"tickets": [REQUEST, {**REQUEST, "channel": "fax"}]}
    headers = {"idempotency-key": "k-1"}
    first, again = [
        await intake.client.post("/v1/tickets:batch", json=batch, headers=headers) for _ in range(2)
    ]
    assert again.content == first.content
    assert [a["receipt"] is None for a in first.json()["answers"]] == [False, True]


async def test_a_repeated_erasure_gets_the_same_answer(intake: Intake) -> None:
    """With its key; without one, nothing is left to erase."""
    await post(intake, "k-1")
    path, headers = "/v1/subjects/app-form/ada", {"idempotency-key": "k-2"}
    keyed = [(await intake.client.delete(path, headers=headers)).json() for _ in range(2)]
    assert keyed == [{"tickets": 1}] * 2
    assert (await intake.client.delete(path)).json() == {"tickets": 0}


@pytest.mark.parametrize("key", ["", " ", "a" * 256])
async def test_an_invalid_key_is_refused(intake: Intake, key: str) -> None:
    """422 names the header."""
    answer = await post(intake, key)
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]


@pytest.fixture
async def client(
    intake: Intake, fresh: FreshDatabase, tmp_path: Path
) -> AsyncIterator[AsyncClient]:
    """Serve with low limits and with the connections of both examples."""
    (tmp_path / "hubspot-client-secret").write_text("hub secret\n")
    (tmp_path / "helpdesk-2026").write_text(WHSEC)
    async with intake.db.transaction() as tx:
        await save_connections(tx, examples())
    await intake.consume(listed(an_account(account_id="33", seats="everyone")))
    limits = Limits(requests_max=REQUESTS_MAX, body_s_max=0.3)
    async with serving(intake, fresh, limits=limits, secrets=tmp_path) as client:
        yield client


async def by_hubspot(client: AsyncClient, events: Any) -> Response:  # noqa: ANN401 - JSON
    """Post events as HubSpot does, at noon."""
    body = json.dumps(events).encode()
    signature = hubspot.sign(b"hub secret", HUBSPOT_URL, body, MS)
    headers = {
        "x-hubspot-signature-v3": signature,
        "x-hubspot-request-timestamp": MS,
    }
    return await client.post(HUBSPOT_PATH, content=body, headers=headers)


async def by_helpdesk(client: AsyncClient) -> Response:
    """Post a signed event as any other system does, at noon."""
    body = json.dumps(REPLY).encode()
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": S,
        "webhook-signature": standard.sign(KEY, "m", S, body),
    }
    return await client.post(SIGNED_PATH, content=body, headers=headers)


async def opened(client: AsyncClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a plain TCP connection to the server."""
    address = urlsplit(str(client.base_url))
    return await asyncio.open_connection(address.hostname, address.port)


def head(client: AsyncClient, body_bytes: int, *, path: str = "/v1/tickets", **more: str) -> bytes:
    """Write the head of a request with a body of ``body_bytes``."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: intake",
        f"authorization: {client.headers['authorization']}",
        "content-type: application/json",
        f"content-length: {body_bytes}",
        *(f"{name}: {value}" for name, value in more.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_one_invalid_event_of_a_hundred_does_not_affect_the_others(
    intake: Intake, client: AsyncClient
) -> None:
    """99 are accepted, the invalid one has its position; 200, so that none is repeated."""
    events: list[Any] = [created(n) for n in range(100)]
    events[41] = created(41, portalId=None)
    answer = await by_hubspot(client, events)
    assert outcomes(answer) == ["accepted"] * 41 + ["refused"] + ["accepted"] * 58
    assert answer.json()["answers"][41] == {
        "position": 41,
        "outcome": "refused",
        "fault": "account_id: $.portalId is missing",
    }
    assert len(await intake.announced("tickets.v1")) == 99
    again = await by_hubspot(client, events)
    assert again.json() == answer.json()
    assert len(await intake.announced("tickets.v1")) == 99


@pytest.mark.parametrize("sign", [1, -1], ids=["late", "early"])
@pytest.mark.parametrize(("away_ms", "status"), [(300_000, 200), (300_001, 401)])
async def test_a_signature_may_differ_by_five_minutes(
    intake: Intake, client: AsyncClient, sign: int, away_ms: int, status: int
) -> None:
    """To the millisecond, by PostgreSQL's clock, at both webhook endpoints; not more."""
    await intake.set_time(NOON + sign * timedelta(milliseconds=away_ms))
    assert (await by_hubspot(client, [created(1)])).status_code == status
    assert (await by_helpdesk(client)).status_code == status


@pytest.mark.parametrize("skew_s", [-3600, -5, 5, 600])
async def test_the_create_date_of_a_sender_with_a_wrong_clock_counts(
    intake: Intake, skew_s: int
) -> None:
    """The promise runs from the create date as sent, in the past or slightly in the future."""
    at = NOON + timedelta(seconds=skew_s)
    receipt = await intake.post_request(occurred_at=at.isoformat())
    (promise,) = receipt["promises"]
    assert datetime.fromisoformat(promise["due_at"]) == at + timedelta(hours=1)


async def test_a_client_that_disconnected_gets_the_same_receipt(
    intake: Intake, client: AsyncClient
) -> None:
    """The Idempotency-Key returns the response that was not delivered; there is one ticket."""
    body = json.dumps(REQUEST).encode()
    _, writer = await opened(client)
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0)
    )
    writer.write(head(client, len(body), **{"idempotency-key": "k-1"}) + body)
    await writer.drain()
    async with asyncio.timeout(10):
        while (await client.get("/v1/receipts/app-form/A-1")).status_code != 200:
            pass
    writer.transport.abort()
    headers = {"idempotency-key": "k-1"}
    replayed = await client.post("/v1/tickets", content=body, headers=headers)
    copy = await client.post("/v1/tickets", content=body)
    assert (replayed.status_code, replayed.json()["outcome"]) == (202, "accepted")
    assert copy.json()["promises"] == replayed.json()["promises"]
    assert len(await intake.announced("tickets.v1")) == 1


@pytest.mark.parametrize("announces", [True, False])
async def test_a_body_over_the_limit_is_cut_off(
    intake: Intake, client: AsyncClient, *, announces: bool
) -> None:
    """413 names the limit and closes the connection; other clients are served."""
    reader, writer = await opened(client)
    if announces:
        writer.write(head(client, VALUE_BYTES_MAX + 1))
    else:
        chunk = b"%x\r\n" % (VALUE_BYTES_MAX + 1) + b" " * (VALUE_BYTES_MAX + 1) + b"\r\n"
        chunked = head(client, 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
        writer.write(chunked + chunk)
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"256 KiB")
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert (await client.post("/v1/tickets", json=REQUEST)).status_code == 202
    assert len(await intake.announced("tickets.v1")) == 1


async def test_a_slow_upload_is_cut_off(intake: Intake, client: AsyncClient) -> None:
    """408 even while bytes arrive; the request is not saved, and other clients are served."""
    body = json.dumps({**REQUEST, "external_id": "slow"}).encode()
    reader, writer = await opened(client)
    writer.write(head(client, len(body)) + body[:1])
    answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    served = 0
    async with asyncio.timeout(10):
        for byte in body[1:-1]:
            if answer.done():
                break
            writer.write(bytes([byte]))
            other = await client.post("/v1/tickets", json={**REQUEST, "external_id": f"{served}"})
            assert other.status_code == 202
            served += 1
        response = await answer
    writer.close()
    assert response.startswith(b"HTTP/1.1 408 ")
    assert len(await intake.announced("tickets.v1")) == served


async def test_slow_clients_without_a_key_do_not_block_others(
    intake: Intake, fresh: FreshDatabase
) -> None:
    """Clients without a key get a quarter of the places; any more get 503 with Retry-After."""
    await intake.consume(listed())
    limits = Limits(requests_max=REQUESTS_MAX, body_s_max=60)
    async with asyncio.timeout(10), serving(intake, fresh, limits=limits) as client:
        connections = [await opened(client) for _ in range(REQUESTS_MAX)]
        for _, writer in connections:
            writer.write(head(client, 100, path=SIGNED_PATH) + b"{")
        answers = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in connections]
        answered = asyncio.as_completed(answers)
        for _ in range(REQUESTS_MAX - REQUESTS_MAX // 4):
            assert (await next(answered)).startswith(b"HTTP/1.1 503 ")
        assert (await client.post("/v1/tickets", json=REQUEST)).status_code == 202
        for _, writer in connections:
            writer.close()
        await asyncio.gather(*answers, return_exceptions=True)


def metric(metrics: str, name: str) -> float:
    """Read the value of a metric from a Prometheus text."""
    return next(
        float(text)
        for line in metrics.splitlines()
        if (text := line.removeprefix(f"{name} ")) != line
    )


async def test_ten_times_the_load_is_shed(
    intake: Intake, client: AsyncClient, fresh: FreshDatabase
) -> None:
    """Refused requests get Retry-After; each 202 has a ticket, and no request is half saved.

    The number of requests in progress never exceeds its limit, and memory use is bounded.
    """
    slow = await new_key(fresh.owner_dsn, "intake", name="slow", rate_per_s=1, burst=1)
    before = (await client.get("/metrics")).text
    seen: list[float] = []
    answers: list[Response] = []

    async def send_all(task: int) -> None:
        keyed = {"authorization": f"Bearer {slow.text}"} if task % 2 == 0 else None
        for number in range(EACH):
            content = {**REQUEST, "external_id": f"{task}/{number}"}
            answers.append(await many.post("/v1/tickets", json=content, headers=keyed))

    async def observe(sending: asyncio.Future[Any]) -> None:
        while not sending.done():
            seen.append(metric((await client.get("/metrics")).text, "premium_requests_in_hand"))

    limits = httpx.Limits(max_connections=TASKS)
    async with (
        asyncio.timeout(60),
        AsyncClient(base_url=client.base_url, headers=client.headers, limits=limits) as many,
    ):
        sending = asyncio.gather(*(send_all(task) for task in range(TASKS)))
        await asyncio.gather(sending, observe(sending))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {202, 429, 503}
    assert statuses.total() == TASKS * EACH
    assert all(a.headers["retry-after"] for a in answers if a.status_code != 202)
    accepted = {a.json()["ticket_id"] for a in answers if a.status_code == 202}
    assert {fact["ticket_id"] for fact in await intake.announced("tickets.v1")} == accepted
    async with intake.db.session() as session:
        assert await session.fetchval(INCONSISTENT) == 0
    assert max(seen) <= REQUESTS_MAX
    after = (await client.get("/metrics")).text
    assert metric(after, "premium_requests_in_hand") == 0
    rss = "process_resident_memory_bytes"
    assert metric(after, rss) - metric(before, rss) < RSS_BYTES_MAX
