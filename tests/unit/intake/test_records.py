"""Arbitrary records: each is read, skipped or poison, whatever it contains."""

import json

import pytest
from tests.fuzz.decoder import Found, run

from intake.domain import receipts
from intake.handlers import DocumentRecord, InvalidRecord, decode
from shared.events import INBOUND_TOPIC
from shared.events.codec import VALUE_BYTES_MAX, Record, value_of

RECORD_BYTES_MAX = 1024 * 1024
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REPLY = json.dumps(
    {"source": "a", "external_id": "b", "type": "responded", "occurred_at": "2026-03-02T09:02:00Z"}
).encode()


@pytest.fixture(scope="module")
def found() -> Found:
    """Decode 20,000 damaged records, the same ones in every run."""
    return run("unit", inputs=20_000)


def test_a_record_is_read_or_skipped_or_poison(found: Found) -> None:
    """No damaged record raises an error other than Poison."""
    assert found.escapes == []


def test_damaged_records_cover_all_outcomes(found: Found) -> None:
    """A fifth of them can still be read, and all common reasons for poison occur."""
    outcomes = {name.partition(": ")[2] for name in found.outcomes}
    reasons = {"bad_json", "bad_utf8", "bad_header", "bad_data", "bad_attribute", "too_deep"}
    expected = {f"poison {reason}" for reason in reasons} | {"item", "refused", "skipped"}
    assert expected <= outcomes
    assert found.outcomes["intake.handlers: item"] > 0.2 * found.outcomes.total()


def test_a_receipt_with_very_many_faults_is_short() -> None:
    """A document with as many unknown fields as fit gets a receipt that Kafka accepts."""
    fields = {f"k{n}": 0 for n in range(24_000)}
    value = json.dumps({"source": "a", "external_id": "b", **fields}, separators=(",", ":"))
    assert len(value) > 0.95 * VALUE_BYTES_MAX
    invalid = decode(Record(INBOUND_TOPIC, 0, 0, None, value.encode(), []))
    assert isinstance(invalid, InvalidRecord)
    receipt = receipts.unreadable(invalid.source, invalid.external_id, invalid.why.detail)
    assert len(value_of(receipt) or b"") < 0.1 * RECORD_BYTES_MAX
    assert invalid.why.detail.endswith("; and 23,955 more")


@pytest.mark.parametrize("trace", [b"00-\x00", b"0" * 100_000, TRACE + b"\n", b""])
def test_a_malformed_trace_does_not_fail_a_document(trace: bytes) -> None:
    """A malformed ``traceparent`` is dropped, and the document is accepted."""
    found = decode(Record(INBOUND_TOPIC, 0, 0, None, REPLY, [("traceparent", trace)]))
    assert isinstance(found, DocumentRecord)
    assert found.document.traceparent is None


def test_a_good_trace_is_kept() -> None:
    """A well-formed ``traceparent`` is kept with the document."""
    found = decode(Record(INBOUND_TOPIC, 0, 0, None, REPLY, [("traceparent", TRACE)]))
    assert isinstance(found, DocumentRecord)
    assert found.document.traceparent == TRACE.decode()
