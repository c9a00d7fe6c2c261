"""A webhook connection: its name, its signing secrets, and the mapping of its events."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ValidationError,
    field_validator,
    model_validator,
)

from shared.basics.yaml_source import KeyPath, describe_error
from shared.events.requests import FactType, LaterFact, Reference, SupportRequest
from shared.webhooks.values import JsonPath, Part, Value, ValueOf, not_empty

__all__ = [
    "ConnectionKind",
    "FactMapping",
    "Fault",
    "Mapping",
    "MappingRule",
    "RequestMapping",
    "WebhookConnection",
]

type ConnectionKind = Literal["hubspot", "signed"]
type Fault = tuple[KeyPath, str]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LIVE_MAX: Final = 2
_SAMPLE: Final = {
    "source": "sample",
    "external_id": "1",
    "account_id": "1",
    "requester_id": "1",
    "channel": "email",
    "subject": "",
    "occurred_at": "2020-01-01T00:00:00Z",
}
"""A valid request, into which single attributes are put to validate them."""


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _a_target(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.fragment:
        raise ValueError("is no URL to post to; copy it from the sender's settings: https://…")
    return url


def _a_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name; it is a part of the URL: a-z, 0-9, - and _")
    return name


def _a_file_name(name: str) -> str:
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a file; use letters, digits, - _ and .")
    return name


type Name = Annotated[str, AfterValidator(_a_name)]
type SecretName = Annotated[str, AfterValidator(_a_file_name)]
type Condition = dict[JsonPath, Annotated[tuple[str, ...], BeforeValidator(_several)]]
"""JSONPaths, each with the values that satisfy it; all must be satisfied."""


class _Document(Part):
    @property
    def given(self) -> Iterator[tuple[str, Value]]:
        """The given fields, with their values."""
        for name, value in self:
            if isinstance(value, Value):
                yield name, value


class RequestMapping(_Document):
    """How an event becomes a support request; ``occurred_at`` overrides that of the mapping."""

    account_id: ValueOf
    requester_id: ValueOf
    channel: ValueOf
    subject: ValueOf
    body: ValueOf | None = None
    role: ValueOf | None = None
    severity: ValueOf | None = None
    asked_in: ValueOf | None = None
    language: ValueOf | None = None
    time_zone: ValueOf | None = None
    tier: ValueOf | None = None
    region: ValueOf | None = None
    phone_number: ValueOf | None = None
    dialled: ValueOf | None = None
    occurred_at: ValueOf | None = None


class FactMapping(_Document):
    """How an event becomes a later fact."""

    type: FactType
    severity: ValueOf | None = None
    waiting_for: ValueOf | None = None
    into: ValueOf | None = None
    occurred_at: ValueOf | None = None


class MappingRule(Part):
    """What an event that satisfies ``when`` becomes: a request, a later fact, or an erasure."""

    when: Annotated[Condition, AfterValidator(not_empty)]
    request: RequestMapping | None = None
    fact: FactMapping | None = None
    erase: ValueOf | None = None

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        given = [x for x in (self.request, self.fact, self.erase) if x is not None]
        if len(given) != 1:
            raise ValueError("a rule has one of request, fact and erase; write a rule for each")
        return self


class Mapping(Part):
    """How events are converted. ``ticket`` is the sender's id of the ticket.

    Events that match no rule are ignored. ``event_id`` identifies copies of a later fact, if the
    connection's kind does not: see docs/webhooks.md.
    """

    source: Reference
    ticket: ValueOf
    occurred_at: ValueOf
    event_id: ValueOf | None = None
    rules: Annotated[tuple[MappingRule, ...], AfterValidator(not_empty)]


class WebhookConnection(Part):
    """A system that sends webhooks. ``secrets`` names its secret, or two during a rotation."""

    name: Name
    kind: ConnectionKind
    url: Annotated[str, AfterValidator(_a_target)] | None = None
    secrets: Annotated[tuple[SecretName, ...], AfterValidator(not_empty)]
    mapping: Mapping

    @field_validator("secrets")
    @classmethod
    def _are_two_secrets(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("the same secret is listed twice; keep one")
        if len(names) > _LIVE_MAX:
            raise ValueError(f"{len(names)} secrets; at most {_LIVE_MAX} are allowed at a time")
        return names

    @model_validator(mode="after")
    def _has_what_it_signs(self) -> Self:
        if self.kind == "hubspot" and self.url is None:
            raise ValueError("HubSpot signs the URL, too; add url, as in the app's settings")
        return self

    @property
    def document(self) -> dict[str, Any]:
        """The connection as plain data, from which it can be parsed again."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @property
    def faults(self) -> Iterator[Fault]:
        """Yield each constant in the mapping that a request or a later fact would refuse."""
        for index, rule in enumerate(self.mapping.rules):
            path: KeyPath = ("mapping", "rules", index)
            if rule.request is not None:
                yield from _of_request((*path, "request"), rule.request)
            if rule.fact is not None:
                yield from _of_fact((*path, "fact"), rule.fact)


def _of_request(path: KeyPath, request: RequestMapping) -> Iterator[Fault]:
    for name, value in request.given:
        for at, text in value.constants:
            try:
                SupportRequest.model_validate(_SAMPLE | {name: text})
            except ValidationError as e:
                yield from _faults((*path, name, *at), e, text)


def _of_fact(path: KeyPath, fact: FactMapping) -> Iterator[Fault]:
    """Check that the fact has the fields that its type requires, and validate their constants."""
    fields = {name: list(value.constants) for name, value in fact.given}
    fit = {"severity": "standard", "waiting_for": "customer", "into": "2"}
    base = {name: _SAMPLE[name] for name in ("source", "external_id", "occurred_at")}
    sample = base | {"type": fact.type} | {name: fit[name] for name in fields if name in fit}
    try:
        LaterFact.model_validate(sample)
    except ValidationError as e:
        yield from _faults(path, e, fact.type)
        return
    for name, constants in fields.items():
        for at, text in constants:
            try:
                LaterFact.model_validate(sample | {name: text})
            except ValidationError as e:
                yield from _faults((*path, name, *at), e, text)


def _faults(path: KeyPath, error: ValidationError, text: str) -> Iterator[Fault]:
    for fault in error.errors(include_url=False):
        yield path, describe_error({**fault, "input": text}, ())
