"""Family C: whatever upstream sends, by HTTP and by Kafka, it is taken once or refused aloud."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord
from httpx import AsyncClient
from tests.integration.intake.conftest import REQUEST, Intake, listed
from tests.integration.intake.intake_process import (
    DEAD_LETTERS,
    INBOUND,
    RECEIPTS,
    TOPICS,
    around,
    consuming,
    requests,
    serving,
)

from intake.cloudevents import BATCHED, STRUCTURED
from intake.domain import AHEAD_MAX
from shared.events.codec import Header, headers_of, value_of
from shared.platform import dead_letters
from shared.platform.dead_letters import DeadLetter
from shared.platform.publisher import Outgoing
from shared.testing.builders import NOON, an_account
from shared.testing.databases import FreshDatabase
from shared.testing.topics import Topics

JSON: Final = {"content-type": "application/json"}
LATER: Final = datetime(2099, 6, 1, 12, tzinfo=UTC)
"""A time that neither the tests' clock nor the world's has reached."""
REPLY: Final = {**REQUEST, "type": "responded"}
FACT: Final = {name: REQUEST[name] for name in ("source", "external_id", "occurred_at")}
EVENT: Final = {"specversion": "1.0", "id": "e", "source": "/form", "type": "com.example.sent"}
FORGET: Final = "DELETE FROM processed_event"
TICKETS: Final = "SELECT count(*) FROM ticket"
NEIGHBOURS: Final = 4


def written(**changes: Any) -> bytes:  # noqa: ANN401 - JSON is any
    """Write the bad one of a batch."""
    return json.dumps({**REQUEST, "external_id": "bad", **changes}).encode()


def fact(**changes: Any) -> bytes:  # noqa: ANN401 - as above
    """Write a later fact."""
    return json.dumps({**FACT, "external_id": "bad", **changes}).encode()


class Bad(NamedTuple):
    """What HTTP answers and names; why Kafka's is parked, and whether its sender is told."""

    value: bytes | None
    status: int
    names: str
    reason: str = "bad_data"
    is_told: bool = True


BAD: Final = {
    "bad_json": Bad(b'{"source": ', 400, "body", "bad_json", is_told=False),
    "wrong_schema": Bad(written(channel="fax"), 422, "channel"),
    "unknown_type": Bad(fact(type="exploded"), 422, "type"),
    "unknown_version": Bad(fact(type="responded.v9"), 422, "type"),
    "bad_utf8": Bad(b'{"source": "\xff"}', 400, "body", "bad_utf8", is_told=False),
    "tombstone": Bad(None, 422, "body", "tombstone", is_told=False),
    "empty": Bad(b"", 422, "body", "empty", is_told=False),
    "one_megabyte": Bad(written(body="x" * 1_000_000), 413, "body", "too_large", is_told=False),
    "deep": Bad(b"[" * 10_000 + b"]" * 10_000, 400, "nested", "too_deep", is_told=False),
    "nan": Bad(written(subject=float("nan")), 422, "subject", "bad_json", is_told=False),
    "year_0": Bad(written(occurred_at="0000-01-01T00:00:00Z"), 422, "occurred_at"),
    "year_10000": Bad(written(occurred_at="10000-01-01T00:00:00Z"), 422, "occurred_at"),
    "naive_time": Bad(written(occurred_at="2026-03-02T12:00:00"), 422, "occurred_at"),
    "lone_surrogate": Bad(written(subject="\ud800"), 422, "subject", "bad_json", is_told=False),
    "surrogate_name": Bad(written(**{"\ud800": 1}), 422, "", "bad_json", is_told=False),
    "future_dated": Bad(written(occurred_at="2098-03-02T12:00:00Z"), 422, "occurred_at"),
    "future_dated_fact": Bad(
        fact(type="responded", occurred_at="2098-03-02T12:00:00Z"), 422, "occurred_at"
    ),
}


async def post(client: AsyncClient, value: bytes | None) -> Any:  # noqa: ANN401 - a response
    """Post to where such a document belongs."""
    path = "/v1/events" if value and b'"type"' in value else "/v1/tickets"
    return await client.post(path, content=value, headers=JSON)


async def send(
    topics: Topics, values: Sequence[bytes | None], headers: Sequence[Header] = ()
) -> None:
    """Write to one partition, in order, so that what is written together is read together."""
    await topics.send(Outgoing(INBOUND, b"k", value, list(headers)) for value in values)


async def outcomes(topics: Topics, count: int) -> list[str]:
    """Wait for so many receipts; the outcome of each."""
    return [json.loads(r.value)["outcome"] for r in await topics.wait_for(RECEIPTS, count)]


def marks(letter: ConsumerRecord) -> dict[str, str]:
    """Read why a record was parked, and whence it came."""
    return {name: value.decode() for name, value in letter.headers}


async def parked(intake: Intake) -> DeadLetter:
    """Read the one record that lies aside."""
    async with intake.db.session() as session:
        (letter,) = await dead_letters.all_parked(session)
    return letter


async def tickets(intake: Intake) -> int:
    """Count the tickets."""
    async with intake.db.session() as session:
        count: int = await session.fetchval(TICKETS)
    return count


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_document_by_http(intake: Intake, fresh: FreshDatabase, case: str) -> None:
    """Refused with a 4xx that names the field; its neighbours on the way are taken."""
    bad = BAD[case]
    good = [json.dumps(one).encode() for one in requests(NEIGHBOURS)]
    async with serving(intake, fresh) as client:
        answers = await asyncio.gather(*(post(client, v) for v in around(bad.value, good)))
    refused = answers.pop(NEIGHBOURS // 2)
    assert (refused.status_code, refused.headers["content-type"]) == (
        bad.status,
        "application/problem+json",
    )
    assert bad.names in refused.json()["detail"]
    assert [answer.status_code for answer in answers] == [202] * NEIGHBOURS
    assert await tickets(intake) == NEIGHBOURS


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_document_by_kafka(intake: Intake, topics: Topics, case: str) -> None:
    """Parked byte for byte with reason and place, its sender told; its neighbours are taken."""
    bad = BAD[case]
    await topics.create(*TOPICS, partitions=1)
    good = [json.dumps(one).encode() for one in requests(NEIGHBOURS)]
    await send(topics, around(bad.value, good))
    async with consuming(intake.db, topics):
        (letter,) = await topics.wait_for(DEAD_LETTERS, 1)
        told = await outcomes(topics, NEIGHBOURS + bad.is_told)
    assert (await parked(intake)).value == bad.value
    assert marks(letter)["dl-reason"] == bad.reason
    assert marks(letter)["dl-offset"] == str(NEIGHBOURS // 2)
    assert sorted(told) == ["accepted"] * NEIGHBOURS + ["rejected"] * bad.is_told
    assert await tickets(intake) == NEIGHBOURS


async def test_bad_documents_in_a_batch(intake: Intake, fresh: FreshDatabase) -> None:
    """The fault of each is answered in its place; the others of the same transaction are taken."""
    bad = [one for one in BAD.values() if one.status == 422 and one.is_told]
    good = list(requests(len(bad)))
    pairs = zip((json.loads(one.value or b"") for one in bad), good, strict=True)
    events = [{**EVENT, "data": data} for pair in pairs for data in pair]
    headers = {"content-type": "application/cloudevents-batch+json"}
    async with serving(intake, fresh) as client:
        answer = await client.post("/v1/cloudevents", json=events, headers=headers)
    answers = answer.json()["answers"]
    for one, refused in zip(bad, answers[::2], strict=True):
        assert one.names in refused["fault"]
    assert {taken["receipt"]["outcome"] for taken in answers[1::2]} == {"accepted"}
    assert await tickets(intake) == len(good)


async def test_a_cloudevent_without_a_word(intake: Intake) -> None:
    """A body of 0 bytes is called that, by the door of CloudEvents as well."""
    headers = {"content-type": "application/cloudevents+json"}
    answer = await intake.client.post("/v1/cloudevents", content=b"", headers=headers)
    assert answer.status_code == 400
    assert "0 bytes" in answer.json()["detail"]


@pytest.mark.parametrize(
    "bad", [-848, [], {"data": {}}, {"specversion": "0.3", "data": {}}], ids=str
)
async def test_what_is_no_cloudevent(intake: Intake, fresh: FreshDatabase, bad: object) -> None:
    """Alone it is refused; among others it is refused in its place, and they are taken."""
    (good,) = requests(1)
    batch = [bad, {**EVENT, "data": good}]
    async with serving(intake, fresh) as client:
        alone, together = [
            await client.post("/v1/cloudevents", json=sent, headers={"content-type": media_type})
            for media_type, sent in ((STRUCTURED, bad), (BATCHED, batch))
        ]
    refused, taken = together.json()["answers"]
    assert (alone.status_code, alone.json()["detail"]) == (400, refused["fault"])
    assert "CloudEvent" in refused["fault"]
    assert taken["receipt"]["outcome"] == "accepted"


@pytest.mark.parametrize("value", [None, b"\xff"], ids=["null", "bad_utf8"])
async def test_a_bad_header_by_kafka(intake: Intake, topics: Topics, value: bytes | None) -> None:
    """Parked with the name of a header that is read, the header as it was; no other harms."""
    await topics.create(*TOPICS, partitions=1)
    before, after = (json.dumps(one).encode() for one in requests(2))
    await send(topics, [before])
    await send(topics, [written()], [("content-type", value)])
    await send(topics, [after], [("sentry-trace", value), ("traceparent", value)])
    async with consuming(intake.db, topics):
        (letter,) = await topics.wait_for(DEAD_LETTERS, 1)
        assert await outcomes(topics, 2) == ["accepted"] * 2
    assert (await parked(intake)).headers[0] == ("content-type", value)
    assert (marks(letter)["dl-reason"], marks(letter)["dl-offset"]) == ("bad_header", "1")
    assert "'content-type'" in marks(letter)["dl-detail"]


@pytest.mark.parametrize("value", [b"", b"\xff"], ids=["empty", "bad_utf8"])
async def test_a_bad_header_by_http(intake: Intake, fresh: FreshDatabase, value: bytes) -> None:
    """What steers the request is refused by its name; what does not is no reason to refuse it."""
    (one,) = requests(1)
    async with serving(intake, fresh) as client:
        refused = await client.post("/v1/tickets", json=one, headers={b"idempotency-key": value})
        taken = await client.post("/v1/tickets", json=one, headers={b"traceparent": value})
    assert refused.status_code == 422
    assert "Idempotency-Key" in refused.json()["detail"]
    assert taken.status_code == 202


async def test_a_duplicate_header_by_kafka(intake: Intake, topics: Topics) -> None:
    """The last of equal names counts: taken once, and the trace goes on."""
    await topics.create(*TOPICS, partitions=1)
    traces = [f"00-{digit * 32}-{'b' * 16}-01".encode() for digit in "ac"]
    await send(topics, [written()], [("traceparent", trace) for trace in traces])
    async with consuming(intake.db, topics):
        (receipt,) = await topics.wait_for(RECEIPTS, 1)
    assert dict(receipt.headers)["traceparent"] == traces[-1]
    assert await tickets(intake) == 1


async def test_a_duplicate_header_by_http(intake: Intake, fresh: FreshDatabase) -> None:
    """Of two keys neither can be meant: refused by its name, and nothing is taken."""
    (one,) = requests(1)
    async with serving(intake, fresh) as client:
        twice = [("idempotency-key", "a"), ("idempotency-key", "b")]
        answer = await client.post("/v1/tickets", json=one, headers=twice)
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]
    assert await tickets(intake) == 0


async def test_an_unknown_version_of_ours(intake: Intake, topics: Topics) -> None:
    """On the topics of events: a version to come is parked, a type unknown passed over."""
    await topics.create(*TOPICS, partitions=1)
    event = listed(an_account(account_id="southwind"))
    newer: list[Outgoing] = []
    for event_type in (b"premium.account.listed.v9", b"premium.account.painted.v1"):
        named: list[Header] = [("ce_type", event_type), ("ce_id", str(uuid4()).encode())]
        headers: list[Header] = [*headers_of(event), *named]
        newer.append(Outgoing("accounts.v1", b"k", value_of(event.event), headers))
    known = Outgoing("accounts.v1", b"k", value_of(event.event), headers_of(event))
    await topics.send([*newer, known])
    async with consuming(intake.db, topics):
        (letter,) = await topics.wait_for(DEAD_LETTERS, 1)
        await send(topics, [written(account_id="southwind")])
        await topics.wait_for(RECEIPTS, 1)
    assert marks(letter)["dl-reason"] == "unknown_version"
    assert marks(letter)["dl-topic"] == "accounts.v1"
    assert (await intake.receipt("bad"))["outcome"] == "accepted"


async def test_a_hundred_duplicates_by_http(intake: Intake, fresh: FreshDatabase) -> None:
    """One ticket; each copy is told the same promises."""
    async with serving(intake, fresh) as client:
        answers = await asyncio.gather(*(post(client, written()) for _ in range(100)))
    told = [answer.json() for answer in answers]
    assert sorted(one["outcome"] for one in told) == ["accepted"] + ["duplicate"] * 99
    assert len({json.dumps(one["promises"]) for one in told}) == 1
    assert await tickets(intake) == 1


async def test_a_hundred_duplicates_by_kafka(intake: Intake, topics: Topics) -> None:
    """One ticket; each record gets its receipt."""
    await topics.create(*TOPICS, partitions=1)
    await send(topics, [written()] * 100)
    async with consuming(intake.db, topics):
        told = await outcomes(topics, 100)
    assert sorted(told) == ["accepted"] + ["duplicate"] * 99
    assert await tickets(intake) == 1


EARLY: Final = {
    "reply_before_create": [fact(type="responded"), written()],
    "cancel_before_deadline": [fact(type="closed"), fact(type="reopened"), written()],
}


@pytest.mark.parametrize("case", EARLY)
async def test_a_reorder_by_http(intake: Intake, fresh: FreshDatabase, case: str) -> None:
    """Every document is taken in whatever order, and all speak of one ticket."""
    async with serving(intake, fresh) as client:
        answers = [await post(client, value) for value in EARLY[case]]
    assert {answer.json()["outcome"] for answer in answers} == {"accepted"}
    assert len({answer.json()["ticket_id"] for answer in answers}) == 1


@pytest.mark.parametrize("case", EARLY)
async def test_a_reorder_by_kafka(intake: Intake, topics: Topics, case: str) -> None:
    """Every document is taken in whatever order, and told under one key, when it happened."""
    await topics.create(*TOPICS, partitions=1)
    await send(topics, EARLY[case])
    async with consuming(intake.db, topics):
        facts = await topics.wait_for("tickets.v1", len(EARLY[case]))
    assert len({told.key for told in facts}) == 1
    assert {dict(told.headers)["ce_time"] for told in facts} == {b"2026-03-02T12:00:00Z"}


AGED: Final = written(occurred_at="2026-01-31T12:00:00Z")
A_MERGE: Final = fact(type="merged", into="A-2", occurred_at="2026-01-31T12:00:00Z")


async def test_an_event_thirty_days_old_by_http(intake: Intake, fresh: FreshDatabase) -> None:
    """Promised from its create date, though that is over; a copy is known though no claim is."""
    async with serving(intake, fresh) as client:
        first, merge = [await post(client, value) for value in (AGED, A_MERGE)]
        async with intake.db.session() as session:
            await session.execute(FORGET)
        copy, again = [await post(client, value) for value in (AGED, A_MERGE)]
    assert [first.status_code, merge.status_code, copy.status_code] == [202, 202, 200]
    assert first.json()["promises"][0]["due_at"] == "2026-01-31T13:00:00Z"
    assert copy.json()["outcome"] == "duplicate"
    assert again.status_code in {200, 202}
    assert await tickets(intake) == 1


@pytest.mark.parametrize("is_remembered", [True, False], ids=["remembered", "forgotten"])
async def test_a_replay_of_the_whole_topic(
    intake: Intake, topics: Topics, *, is_remembered: bool
) -> None:
    """Read from 0 by a new group, also past the memory of claims: no second effect, none parked."""
    await topics.create(*TOPICS, partitions=1)
    await send(topics, [AGED, A_MERGE, *(json.dumps(one).encode() for one in requests(3))])
    async with consuming(intake.db, topics):
        await topics.wait_for(RECEIPTS, 5)
    before = {dict(told.headers)["ce_id"] for told in await topics.read("tickets.v1")}
    if not is_remembered:
        async with intake.db.session() as session:
            await session.execute(FORGET)
    await send(topics, [written(external_id="the end")])
    async with consuming(intake.db, topics, purpose="again"):
        receipts = await topics.wait_for(RECEIPTS, 6 if is_remembered else 11)
    assert "the end" in {json.loads(receipt.value)["external_id"] for receipt in receipts}
    after = {dict(told.headers)["ce_id"] for told in await topics.read("tickets.v1")}
    assert (len(after - before), await tickets(intake)) == (1, 5)
    assert await topics.read(DEAD_LETTERS) == []


@pytest.mark.parametrize(("more_ms", "status"), [(0, 202), (1, 422)])
async def test_a_senders_clock_may_be_ahead_a_little(
    intake: Intake, more_ms: int, status: int
) -> None:
    """To the millisecond; a refused name is free once the clock is set."""
    await intake.stand_at(LATER)
    at = LATER + AHEAD_MAX + timedelta(milliseconds=more_ms)
    answer = await post(intake.client, written(occurred_at=at.isoformat()))
    assert answer.status_code == status
    if status == 422:
        assert "set the sender's clock" in answer.json()["errors"][0]["fault"]
        mended = await post(intake.client, written(occurred_at=LATER.isoformat()))
        assert mended.json()["outcome"] == "accepted"


async def test_a_log_may_be_replayed_ahead_of_business_time(intake: Intake) -> None:
    """What the world's clock has passed is no lie, wherever business time stands."""
    await intake.stand_at(NOON - timedelta(days=3000))
    assert (await intake.ask())["outcome"] == "accepted"
