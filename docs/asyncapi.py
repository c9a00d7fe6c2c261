"""The topics as AsyncAPI 3.0: channels, messages, and which service sends or receives them.

Everything comes from code: events from the catalogue, topics from topics.yaml, operations from
`CONSUMES` and `EMITS` of the services, examples from the golden files.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from devstack.topics import Topic, topics
from docs.services import HANDLERS
from shared.basics.errors import Poison
from shared.events import (
    CATALOGUE,
    INBOUND_TOPIC,
    Envelope,
    Event,
    LaterFact,
    SupportRequest,
    dead_letter_topic,
)
from shared.events.codec import Header, Record, attributes_of, read, read_json, value_of
from shared.platform.dead_letters import headers_of

__all__ = ["document"]

type Json = dict[str, Any]

GOLDEN: Final = Path(__file__).parents[1] / "tests" / "contracts" / "golden"
INBOUND_MODELS: Final = (SupportRequest, LaterFact)
PARKED: Final = "dead-letter"
_JSON: Final = "application/json"
_KAFKA: Final = {"bindingVersion": "0.5.0"}
_TEXT: Final = {"type": "string"}
_SCHEMAS: Final = "#/components/schemas/"
_MESSAGES: Final = "#/components/messages/"
_CLOUD_EVENT: Final = "CloudEvent"
_FORMS: Final[Json] = {
    "content-type": {"const": _JSON},
    "ce_specversion": {"const": "1.0"},
    "ce_id": {
        "format": "uuid",
        "description": "Derived from its cause: a repeated event has the same id.",
    },
    "ce_source": {"format": "uri", "description": "The service that wrote it."},
    "ce_partitionkey": {"description": "Equal to the record's key."},
    "ce_dataschema": {
        "format": "uri",
        "description": "The schema of the data: it ends with the message of this document.",
    },
    "ce_subject": {"description": "The subject of the event; equal to the key."},
    "ce_time": {"format": "date-time", "description": "When it happened, in UTC."},
    "traceparent": {"description": "W3C Trace Context of the request that caused it."},
    "tracestate": {"description": "Additions of tracing vendors to it."},
}
_ABOUT: Final = """\
A service writes its own topics and reads those of others; the operations list them. Events are
CloudEvents 1.0 in Kafka's binary mode; structured mode is read, too. A record may be repeated, with
an equal `ce_id`; facts about one subject have its key, and keep their order. Other systems may
write to `accounts.v1`, `specialists.v1` and `policies.v1`, under any id that is unique within its
`ce_source`, and without `ce_time`: then the record's timestamp counts. Readers must ignore unknown
fields and unknown types. A record that can never be handled is stored as a dead letter, byte for
byte.
"""


def document() -> Json:
    """Describe every topic."""
    messages = dict(_messages())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Premium Support",
            "version": version("premium-support-shared"),
            "description": _joined(_ABOUT),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": _JSON,
        "channels": {topic.name: _channel(topic) for topic in topics()},
        "operations": dict(_operations()),
        "components": {"messages": messages, "schemas": _schemas(messages)},
    }


def _channel(topic: Topic) -> Json:
    settings = {name: _setting(name, text) for name, text in topic.settings.items()}
    return {
        "address": topic.name,
        "description": _topic_description(topic.name),
        "messages": {name: {"$ref": _MESSAGES + name} for name in _names_on(topic.name)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": settings,
                **_KAFKA,
            }
        },
        "x-owner": topic.owner,
    }


def _setting(name: str, text: str) -> list[str] | int:
    """Return a setting as AsyncAPI's binding has it: policies as a list, the rest as numbers."""
    return [text] if name == "cleanup.policy" else int(text)


def _topic_description(topic: str) -> str:
    """Return the first line of the module that defines the topic's events."""
    if topic == INBOUND_TOPIC:
        return _first_line(sys.modules[SupportRequest.__module__])
    events = _events_on(topic)
    return _first_line(
        sys.modules[events[0].__module__] if events else sys.modules["shared.platform.dead_letters"]
    )


def _names_on(topic: str) -> list[str]:
    if topic == INBOUND_TOPIC:
        return [model.__name__ for model in INBOUND_MODELS]
    return [event.type for event in _events_on(topic)] or [PARKED]


def _events_on(topic: str) -> list[type[Event]]:
    return [event for event in CATALOGUE.values() if event.topic == topic]


def _operations() -> Iterator[tuple[str, Json]]:
    for service, handlers in HANDLERS.items():
        for topic in handlers.CONSUMES:
            yield _operation(service, "receive", topic)
        for topic in (*handlers.EMITS, dead_letter_topic(service)):
            yield _operation(service, "send", topic)


def _operation(service: str, action: str, topic: str) -> tuple[str, Json]:
    channel = {"$ref": f"#/channels/{topic}"}
    about = {"action": action, "channel": channel, "tags": [{"name": service}]}
    return f"{service}.{action}.{topic}", about


def _messages() -> Iterator[tuple[str, Json]]:
    for model in INBOUND_MODELS:
        yield model.__name__, _inbound(model)
    for name, event in CATALOGUE.items():
        yield name, _event(event)
    yield PARKED, _parked()


def _inbound(model: type[BaseModel]) -> Json:
    schema = model.model_json_schema()
    return {
        "name": model.__name__,
        **_texts(model),
        "contentType": _JSON,
        "payload": {"$ref": _SCHEMAS + model.__name__},
        "examples": [{"payload": example} for example in schema["examples"]],
    }


def _event(event: type[Event]) -> Json:
    goldens = list(_goldens(event))
    gone = all(value_of(envelope.event) is None for _, envelope in goldens)
    payload = {"type": "null"} if gone else {"$ref": _SCHEMAS + event.__name__}
    own = {"ce_type": {"const": event.type}}
    return {
        "name": event.type,
        **_texts(event),
        "contentType": _JSON,
        "headers": {
            "type": "object",
            "allOf": [{"$ref": _SCHEMAS + _CLOUD_EVENT}],
            "properties": own,
        },
        "payload": payload,
        "bindings": {
            "kafka": {"key": {**_TEXT, "description": inspect.getdoc(event.subject)}, **_KAFKA}
        },
        "examples": [
            {"name": name, "headers": dict(attributes_of(envelope)), "payload": _data(envelope)}
            for name, envelope in goldens
        ],
    }


def _goldens(event: type[Event]) -> Iterator[tuple[str, Envelope[Event]]]:
    """Read the golden files of an event, the first shape first."""
    for path in sorted(GOLDEN.glob(f"{event.type}*.json"), key=lambda path: path.stem):
        golden = json.loads(path.read_text())
        headers = [(name, text.encode()) for name, text in golden["headers"].items()]
        value = None if golden["data"] is None else json.dumps(golden["data"]).encode()
        key = golden["headers"]["ce_subject"].encode()
        envelope = read(Record(event.topic, 0, 0, key, value, headers))
        if isinstance(envelope, Envelope):
            yield path.stem, envelope


def _data(envelope: Envelope[Event]) -> object:
    value = value_of(envelope.event)
    return None if value is None else json.loads(value)


def _parked() -> Json:
    """Describe a dead letter, by a record that is not JSON, as intake would store it."""
    record = Record(INBOUND_TOPIC, 4, 1207, b"A-1001", b'{"source": "app-form",', [])
    marks = {name: (text or b"").decode() for name, text in _marks_of_malformed_json(record)}
    return {
        "name": PARKED,
        "title": "Dead letter",
        "summary": "A record that can never be handled: where it came from, and the reason.",
        "description": "The record itself is in the service's database, byte for byte, under "
        "the number `dl-id`, which is the key here; `premium redrive` sends it back.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": list(marks),
            "properties": dict.fromkeys(marks, _TEXT),
        },
        "payload": {"type": "null"},
        "examples": [{"headers": marks, "payload": None}],
    }


def _marks_of_malformed_json(record: Record) -> list[Header]:
    try:
        read_json(record.value)
    except Poison as e:
        return headers_of(71, record, e, service="intake", attempts=1)
    raise AssertionError("the example is JSON")


def _schemas(messages: Json) -> Json:
    """Return the schemas of requests from upstream and of events; a tombstone has none."""
    models: list[tuple[type[BaseModel], Any]] = [
        *((model, "validation") for model in INBOUND_MODELS),
        *((event, "serialization") for event in CATALOGUE.values()),
    ]
    _, found = models_json_schema(models, ref_template=_SCHEMAS + "{model}")
    schemas = {**found["$defs"], _CLOUD_EVENT: _cloud_event()}
    return {name: schemas[name] for name in sorted(_used(messages, schemas))}


def _used(messages: Json, schemas: Json) -> set[str]:
    """Return the names of all schemas that the messages refer to, directly or not."""
    used: set[str] = set()
    new = _named_in(messages)
    while new:
        used |= new
        new = {name for known in new for name in _named_in(schemas[known])} - used
    return used


def _named_in(part: Json) -> set[str]:
    return set(re.findall(rf'"{_SCHEMAS}(\w+)"', json.dumps(part)))


def _cloud_event() -> Json:
    """Describe the headers of every event, as the codec writes them."""
    [envelope, *_] = [
        e for event in CATALOGUE.values() for _, e in _goldens(event) if e.traceparent
    ]
    names = [*(name for name, _ in attributes_of(envelope)), "tracestate"]
    return {
        "type": "object",
        "description": "A CloudEvent's attributes, as Kafka headers.",
        "required": [name for name in names if name not in {"traceparent", "tracestate"}],
        "properties": {name: {**_TEXT, **_FORMS.get(name, {})} for name in names},
    }


def _texts(model: type[BaseModel]) -> Json:
    summary, _, rest = (inspect.getdoc(model) or "").partition("\n\n")
    texts = {"title": model.__name__, "summary": _joined(summary), "description": _joined(rest)}
    return {name: text for name, text in texts.items() if text}


def _joined(text: str) -> str:
    return " ".join(text.split())


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
