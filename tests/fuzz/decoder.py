"""`python -m tests.fuzz.decoder`: any Kafka record is decoded, skipped, or Poison."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final

from tests.fuzz.mutations import Good, mutated, values_by_field

from intake import accounts
from intake import handlers as intake
from notifier import handlers as notifier
from shared.basics.clock import elapsed_s
from shared.basics.errors import Poison
from shared.events import CATALOGUE, INBOUND_TOPIC, Envelope, LaterFact, SupportRequest
from shared.events.codec import Header, Record, Skipped, read

__all__ = ["Found", "run"]

GOLDEN: Final = Path(__file__).parents[1] / "contracts" / "golden"
_CHUNK: Final = 1_000
_SHOWN_MAX: Final = 20
_DETAIL_BYTES_MAX: Final = 256 * 1024
_READ: Final = (
    intake.DocumentRecord,
    intake.InvalidRecord,
    accounts.AccountRecord,
    accounts.UnreadableRecord,
    Envelope,
)

type _Decode = Callable[[Record], object]


@dataclass(frozen=True, slots=True)
class Found:
    """The results of some inputs, and each record that raised anything but Poison."""

    outcomes: Counter[str]
    escapes: list[str]


def main() -> int:
    """Run the fuzzer; return 1 if anything but Poison was raised."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.decoder", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    asked = parser.parse_args()
    began_s = elapsed_s()
    outcomes, escapes = Counter[str](), list[str]()
    chunks = range(-(-asked.inputs // _CHUNK))
    with ProcessPoolExecutor(asked.processes) as pool:
        for found in pool.map(run, (f"{asked.seed}/{n}" for n in chunks), chunksize=20):
            outcomes += found.outcomes
            escapes += found.escapes
            if len(escapes) > _SHOWN_MAX:
                break
        pool.shutdown(cancel_futures=True)
    took_s = elapsed_s(began_s)
    for line in _report(outcomes, escapes, took_s):
        sys.stdout.write(line + "\n")
    return 1 if escapes else 0


def run(seed: str, inputs: int = _CHUNK) -> Found:
    """Decode this many mutated records, always the same for a seed."""
    records, others = _decoders()
    random = Random(seed)  # noqa: S311 - the same for every run
    outcomes, escapes = Counter[str](), list[str]()
    for decode, good in random.choices(records, _weights(), k=inputs):
        record = mutated(good, others, random)
        try:
            outcomes[f"{decode.__module__}: {_outcome(decode, record)}"] += 1
        except BaseException as e:  # noqa: BLE001 - a panic in Rust is no Exception; any is found
            outcomes["ESCAPED"] += 1
            escapes.append(f"{type(e).__name__}: {e}\n  {decode.__module__}, seed {seed}: {record}")
    return Found(outcomes, escapes)


def _outcome(decode: _Decode, record: Record) -> str:
    """Return the result for a record; check that a Poison can be parked."""
    try:
        found = decode(record)
    except Poison as why:
        _check(why)
        return f"poison {why.reason}"
    if isinstance(found, Skipped):
        return "skipped"
    assert isinstance(found, _READ), f"{type(found)} is nothing that a decoder may return"
    if isinstance(found, intake.InvalidRecord):
        _check(found.why)
        return "refused"
    return "item"


def _check(why: Poison) -> None:
    """Fail if a reason could not be published: Kafka's limit for a record is 1 MiB."""
    assert len(why.detail.encode()) < _DETAIL_BYTES_MAX, "a reason too long to be published"


@cache
def _decoders() -> tuple[list[tuple[_Decode, Good]], dict[bytes, list[bytes]]]:
    """Return the valid records, each with a decoder of its topic."""
    inbound = [Good.of(record) for record in _inbound()]
    events = [Good.of(record) for record in _events()]
    records: list[tuple[_Decode, Good]] = [(intake.decode, good) for good in inbound]
    for good in events:
        topic = good.record.topic
        records.append((read, good))
        if topic in intake.CONSUMES:
            records.append((intake.decode, good))
        if topic in notifier.CONSUMES:
            records.append((notifier.decode, good))
    return records, values_by_field([*inbound, *events])


@cache
def _weights() -> list[float]:
    """Return weights.

    Most inputs are for intake's public topic, few are policies, which are slow.
    """
    share = {INBOUND_TOPIC: 6.0, "policies.v1": 0.05, "accounts.v1": 1.0}
    return [share.get(good.record.topic, 0.2) for _, good in _decoders()[0]]


def _inbound() -> Iterator[Record]:
    """Make examples of every kind of document, alone and in a CloudEvent."""
    request, reply, wait = (
        example
        for model in (SupportRequest, LaterFact)
        for example in model.model_json_schema()["examples"]
    )
    minimal = {k: v for k, v in request.items() if k not in {"role", "body", "time_zone"}}
    merged = {**reply, "type": "merged", "into": "A-1000"}
    corrected = {**reply, "type": "reclassified", "severity": "standard"}
    full = {**request, "tier": "gold", "region": "DE-BE", "asked_in": "mobile_app"}
    trace: Header = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    for document in (request, minimal, full, reply, wait, merged, corrected):
        yield _record(INBOUND_TOPIC, document, [("content-type", b"application/json"), trace])
        event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "x", "data": document}
        yield _structured(INBOUND_TOPIC, event)


def _events() -> Iterator[Record]:
    """Make the golden records, in binary and in structured mode."""
    for file in sorted(GOLDEN.glob("*.json")):
        golden = json.loads(file.read_text())
        names = golden["headers"]
        topic = CATALOGUE[names["ce_type"]].topic
        yield _record(topic, golden["data"], [(k, v.encode()) for k, v in names.items()])
        attributes = {name.removeprefix("ce_"): text for name, text in names.items()}
        yield _structured(topic, {**attributes, "data": golden["data"]})


def _structured(topic: str, document: object) -> Record:
    return _record(topic, document, [("content-type", b"application/cloudevents+json")])


def _record(topic: str, document: object, headers: Sequence[Header]) -> Record:
    value = None if document is None else json.dumps(document, separators=(",", ":")).encode()
    return Record(topic, 0, 0, b"k", value, headers)


def _report(outcomes: Counter[str], escapes: Sequence[str], took_s: float) -> Iterator[str]:
    """Print escaped records in full, to become tests; then statistics."""
    inputs = outcomes.total()
    yield from chain.from_iterable(("", escape) for escape in escapes[:_SHOWN_MAX])
    for name, count in sorted(outcomes.items()):
        yield f"{count:>12,} {count / inputs:7.2%}  {name}"
    yield f"{inputs:,} inputs in {took_s:.0f} s, {inputs / took_s:,.0f}/s: {len(escapes)} escaped"


if __name__ == "__main__":
    sys.exit(main())
