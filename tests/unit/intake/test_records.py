"""Records from anybody: whatever they hold, intake and its readers keep to three answers."""

import json

import pytest
from tests.fuzz.decoder import Found, run

from intake.domain import receipts
from intake.handlers import Posted, Refused, decode
from shared.events import INBOUND_TOPIC
from shared.events.codec import VALUE_BYTES_MAX, Record, value_of

RECORD_BYTES_MAX = 1024 * 1024
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REPLY = json.dumps(
    {"source": "a", "external_id": "b", "type": "responded", "occurred_at": "2026-03-02T09:02:00Z"}
).encode()


@pytest.fixture(scope="module")
def found() -> Found:
    """Decode some thousand spoiled records, always the same."""
    return run("unit", inputs=20_000)


def test_a_record_is_read_or_skipped_or_poison(found: Found) -> None:
    """No record, however spoiled, lets anything but Poison escape."""
    assert found.escapes == []


def test_spoiled_records_get_deep(found: Found) -> None:
    """A fair share is read all the same, and the common reasons of a refusal all come up."""
    told = {name.partition(": ")[2] for name in found.outcomes}
    reasons = {"bad_json", "bad_utf8", "bad_header", "bad_data", "bad_attribute", "too_deep"}
    assert {f"poison {reason}" for reason in reasons} | {"item", "refused", "skipped"} <= told
    assert found.outcomes["intake.handlers: item"] > 0.2 * found.outcomes.total()


def test_a_refusal_of_countless_faults_can_be_told() -> None:
    """A document of unknown fields alone, as many as fit, is answered by a receipt Kafka takes."""
    fields = {f"k{n}": 0 for n in range(24_000)}
    value = json.dumps({"source": "a", "external_id": "b", **fields}, separators=(",", ":"))
    assert len(value) > 0.95 * VALUE_BYTES_MAX
    refused = decode(Record(INBOUND_TOPIC, 0, 0, None, value.encode(), []))
    assert isinstance(refused, Refused)
    receipt = receipts.bad(refused.source, refused.external_id, refused.why.detail)
    assert len(value_of(receipt) or b"") < 0.1 * RECORD_BYTES_MAX
    assert refused.why.detail.endswith("; and 23,955 more")


@pytest.mark.parametrize("trace", [b"00-\x00", b"0" * 100_000, TRACE + b"\n", b""])
def test_a_bad_trace_costs_nobody_a_ticket(trace: bytes) -> None:
    """A malformed ``traceparent``, which no column or record may hold, is dropped alone."""
    found = decode(Record(INBOUND_TOPIC, 0, 0, None, REPLY, [("traceparent", trace)]))
    assert isinstance(found, Posted)
    assert found.document.traceparent is None


def test_a_good_trace_is_kept() -> None:
    """A well-formed ``traceparent`` goes on with what the document gives rise to."""
    found = decode(Record(INBOUND_TOPIC, 0, 0, None, REPLY, [("traceparent", TRACE)]))
    assert isinstance(found, Posted)
    assert found.document.traceparent == TRACE.decode()
