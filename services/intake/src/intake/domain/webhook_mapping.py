"""Maps an event of another system to a document, by the rules of its webhook connection."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.basics.text import fault_of_text
from shared.events import Inbound, LaterFact, SupportRequest
from shared.webhooks import Mapping, MappingRule, MissingValue, UnusableValue, Value, texts_at

__all__ = [
    "Erasure",
    "Ignored",
    "InvalidEvent",
    "MappedDocument",
    "Meaning",
    "erasure_of",
    "meaning_of",
]


@dataclass(frozen=True, slots=True)
class MappedDocument:
    """The event is a support request or a later fact."""

    content: Inbound


@dataclass(frozen=True, slots=True)
class Erasure:
    """The event asks to erase a requester's data."""

    subject_id: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """No rule of the mapping matches the event."""


@dataclass(frozen=True, slots=True)
class InvalidEvent:
    """The event makes no valid document; ``fault`` has all faults, but not the event's content."""

    fault: str


type Meaning = MappedDocument | Erasure | Ignored | InvalidEvent


def meaning_of(mapping: Mapping, event: Any) -> Meaning:  # noqa: ANN401 - JSON is any
    """Map an event by the first rule that matches."""
    if not isinstance(event, dict):
        return InvalidEvent("event: is not a JSON object")
    rule = next((rule for rule in mapping.rules if _matches(rule, event)), None)
    if rule is None:
        return Ignored()
    if rule.erase is not None:
        return _erasure(rule.erase, event)
    named = {"external_id": mapping.ticket, "occurred_at": mapping.occurred_at}
    if rule.request is not None:
        values = named | dict(rule.request.given)
        return _document(SupportRequest, {"source": mapping.source}, values, event)
    assert rule.fact is not None  # noqa: S101 - a rule has one of the three
    constants = {"source": mapping.source, "type": rule.fact.type}
    if mapping.event_id is not None:
        named["event_id"] = mapping.event_id
    return _document(LaterFact, constants, named | dict(rule.fact.given), event)


def _matches(rule: MappingRule, event: dict[str, Any]) -> bool:
    return all(_satisfies(event, path, values) for path, values in rule.when.items())


def _satisfies(event: dict[str, Any], path: str, values: tuple[str, ...]) -> bool:
    try:
        return any(text in values for text in texts_at(path, event))
    except UnusableValue:
        return False


def erasure_of(subject_id: str, field: str) -> Erasure | InvalidEvent:
    """Make an erasure, unless the text cannot be a requester's id."""
    fault = fault_of_text(subject_id)
    return Erasure(subject_id) if fault is None else InvalidEvent(f"{field}: {fault}")


def _erasure(subject: Value, event: dict[str, Any]) -> Meaning:
    try:
        return erasure_of(str(subject.read(event)), "erase")
    except MissingValue as e:
        return InvalidEvent(f"erase: {e} is missing")
    except UnusableValue as e:
        return InvalidEvent(f"erase: {e}")


def _document(
    model: type[SupportRequest | LaterFact],
    constants: dict[str, str],
    values: dict[str, Value],
    event: dict[str, Any],
) -> Meaning:
    """Make a document; all fields are read first, so that all faults are reported together."""
    content: dict[str, object] = dict(constants)
    faults: dict[str, str] = {}
    for name, value in values.items():
        try:
            content[name] = value.read(event)
        except MissingValue as e:
            if model.model_fields[name].is_required():
                faults[name] = f"{e} is missing"
        except UnusableValue as e:
            faults[name] = str(e)
    try:
        made = model.model_validate(content)
    except ValidationError as e:
        faults |= {name: text for name, text in _faults_in(e) if name not in faults}
    else:
        if not faults:
            return MappedDocument(made)
    return InvalidEvent("; ".join(f"{name}: {text}" for name, text in faults.items()))


def _faults_in(error: ValidationError) -> Iterator[tuple[str, str]]:
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        yield ".".join(str(part) for part in fault["loc"]) or "event", fault["msg"]
