"""What an event from outside means: the document of ours that a mapping makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.basics.text import fault_of_text
from shared.events import Inbound, LaterFact, SupportRequest
from shared.webhooks import Mapping, MappingRule, MissingValue, UnusableValue, Value, texts_at

__all__ = ["Erasure", "Ignored", "Meaning", "Refusal", "Taken", "erasure_of", "meaning_of"]


@dataclass(frozen=True, slots=True)
class Taken:
    """The event is a support request or a later fact."""

    content: Inbound


@dataclass(frozen=True, slots=True)
class Erasure:
    """Somebody is to be forgotten."""

    subject_id: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """No rule takes the event: it is none of our business."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The event should be a document, but cannot be: every fault, without what was sent."""

    fault: str


type Meaning = Taken | Erasure | Ignored | Refusal


def meaning_of(mapping: Mapping, event: Any, event_id: str | None) -> Meaning:  # noqa: ANN401
    """Read an event; ``event_id`` tells copies of it apart where the mapping does not."""
    if not isinstance(event, dict):
        return Refusal("event: is no JSON object")
    rule = next((rule for rule in mapping.rules if _matches(rule, event)), None)
    if rule is None:
        return Ignored()
    if rule.erase is not None:
        return _erasure(rule.erase, event)
    named = {"external_id": mapping.ticket, "occurred_at": mapping.occurred_at}
    if rule.request is not None:
        values = named | dict(rule.request.given)
        return _document(SupportRequest, {"source": mapping.source}, values, event)
    assert rule.fact is not None  # noqa: S101 - a rule says one of the three
    constants = {"source": mapping.source, "type": rule.fact.type, "event_id": event_id}
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


def erasure_of(subject_id: str, field: str) -> Erasure | Refusal:
    """Say who is to be forgotten, unless nobody can have such an id."""
    fault = fault_of_text(subject_id)
    return Erasure(subject_id) if fault is None else Refusal(f"{field}: {fault}")


def _erasure(subject: Value, event: dict[str, Any]) -> Meaning:
    try:
        return erasure_of(str(subject.read(event)), "erase")
    except MissingValue as e:
        return Refusal(f"erase: {e} is missing")
    except UnusableValue as e:
        return Refusal(f"erase: {e}")


def _document(
    model: type[SupportRequest | LaterFact],
    constants: dict[str, str | None],
    values: dict[str, Value],
    event: dict[str, Any],
) -> Meaning:
    """Read every field, so that every fault is named."""
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
        faults |= {name: text for name, text in _told(e) if name not in faults}
    else:
        if not faults:
            return Taken(made)
    return Refusal("; ".join(f"{name}: {text}" for name, text in faults.items()))


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        yield ".".join(str(part) for part in fault["loc"]) or "event", fault["msg"]
