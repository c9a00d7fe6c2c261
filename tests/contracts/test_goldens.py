"""Every event has a golden record as first written, which must always parse."""

import json
from pathlib import Path

import pytest

from shared.events import CATALOGUE, Envelope
from shared.events.codec import Record, headers_of, read, value_of

GOLDEN = Path(__file__).parent / "golden"
OTHERS_WRITE = {"accounts.v1", "specialists.v1", "policies.v1"}


def record_of(golden: dict[str, object], topic: str) -> Record:
    """Build the Kafka record of a golden file."""
    data = golden["data"]
    headers = {name: str(text).encode() for name, text in dict(golden["headers"]).items()}  # type: ignore[call-overload]
    value = None if data is None else json.dumps(data).encode()
    return Record(topic, 0, 0, headers["ce_subject"], value, list(headers.items()))


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_a_golden_record_reads_and_writes_back(file: Path) -> None:
    """Old records are decoded, and encoding them today gives the same bytes.

    Exceptions: sources are absolute now, schema and partition key are attributes, and the id of a
    foreign event is derived from its source and its id.
    """
    golden = json.loads(file.read_text())
    event_type = golden["headers"]["ce_type"]
    envelope = read(record_of(golden, CATALOGUE[event_type].topic))
    assert isinstance(envelope, Envelope)
    assert type(envelope.event) is CATALOGUE[event_type]
    written = value_of(envelope.event)
    assert (json.loads(written) if written else None) == golden["data"]
    headers = {name: value.decode() for name, value in headers_of(envelope) if value is not None}
    named = {
        "ce_source": f"urn:premium-support:{golden['headers']['ce_source']}",
        "ce_partitionkey": golden["headers"]["ce_subject"],
        "ce_dataschema": f"urn:premium-support:schema:{event_type}",
    }
    if CATALOGUE[event_type].topic in OTHERS_WRITE:
        named["ce_id"] = headers["ce_id"]
    assert headers == golden["headers"] | named


def test_every_golden_is_of_a_known_event() -> None:
    """Event types are never removed from the catalogue, because others may still send them.

    A file with a second golden, for fields added later, has a suffix after the type.
    """
    assert {path.stem.partition("+")[0] for path in GOLDEN.glob("*.json")} == set(CATALOGUE)
