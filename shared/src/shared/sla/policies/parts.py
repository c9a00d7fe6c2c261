"""The parts of a policy: rules, their matches, terms, and exception windows."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from shared.sla.calendars import known_region
from shared.sla.promises import (
    CAUSES,
    WARNINGS,
    Cause,
    Channel,
    PromiseClass,
    PromiseKind,
    Role,
    Severity,
    duration_of,
)

__all__ = [
    "ExceptionWindow",
    "Name",
    "Part",
    "PolicyRule",
    "Region",
    "RequestMatch",
    "RequestTraits",
    "Terms",
    "Tier",
    "base_language",
    "lies_in",
]


_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")


def base_language(tag: str) -> str:
    """Return the base language of a tag: a rule for de also applies to de-AT."""
    return tag.partition("-")[0].lower()


def lies_in(region: str | None, wanted: str) -> bool:
    """Return whether ``region`` is ``wanted`` or a part of it: DE-BY lies in DE."""
    return region is not None and (region == wanted or region.startswith(f"{wanted}-"))


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _in_order[T: str](values: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(sorted(set(values)))


def _language(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(f"{tag!r} is no base language; write {base_language(tag)[:3]!r}")
    return tag


def _positive(text: str) -> str:
    if duration_of(text) <= timedelta(0):
        raise ValueError(f"{text!r} is not positive; promise at least 1 s")
    return text


type Region = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"), AfterValidator(known_region)
]
"""A country or a subdivision, by ISO 3166: DE, DE-BY."""
type Tier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,50}$")]
"""The name of the product tier that an account bought."""
type _Language = Annotated[str, AfterValidator(_language)]
type Name = Annotated[str, StringConstraints(pattern=r"^\S(.{0,98}\S)?$")]
type _Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500)]
type _Several[T] = Annotated[
    tuple[T, ...], BeforeValidator(_several), AfterValidator(_in_order), Field(min_length=1)
]


@dataclass(frozen=True, slots=True)
class RequestTraits:
    """The attributes of a request that determine its promises."""

    role: Role
    channel: Channel
    severity: Severity
    language: str
    time_zone: str
    tier: str | None = None
    region: str | None = None


class Part(BaseModel):
    """A part of a policy; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RequestMatch(Part):
    """The requests that a rule applies to; an attribute that is None matches every value."""

    role: _Several[Role] | None = None
    channel: _Several[Channel] | None = None
    severity: _Several[Severity] | None = None
    language: _Several[_Language] | None = None
    tier: _Several[Tier] | None = None
    region: _Several[Region] | None = None

    def takes(self, attribute: str, value: str | None) -> bool:
        """Return whether a value of an attribute matches; None only where every value matches."""
        wanted: tuple[str, ...] | None = getattr(self, attribute)
        if wanted is None:
            return True
        if attribute == "region":
            return any(lies_in(value, region) for region in wanted)
        return value in wanted

    def fits(self, asked: RequestTraits) -> bool:
        """Return whether the rule applies to a request."""
        return (
            self.takes("role", asked.role)
            and self.takes("channel", asked.channel)
            and self.takes("severity", asked.severity)
            and self.takes("language", base_language(asked.language))
            and self.takes("tier", asked.tier)
            and self.takes("region", asked.region)
        )


class Terms(Part):
    """One promise of a rule. ``target`` is a duration in ``calendar`` time."""

    kind: PromiseKind
    promise_class: PromiseClass = Field(alias="class")
    target: Annotated[str, AfterValidator(_positive)]
    calendar: str
    warnings: Annotated[tuple[str, ...], BeforeValidator(_several)] = WARNINGS
    pause_on: Annotated[tuple[Cause, ...], BeforeValidator(_several)] = CAUSES


class PolicyRule(Part):
    """The promises for matching requests, or the reason why there are none."""

    name: Name
    match: RequestMatch = RequestMatch()
    promises: tuple[Terms, ...] = ()
    no_promise: _Sentence | None = None
    source: _Sentence


class ExceptionWindow(Part):
    """A declared period: guarantees of matching tickets created in it become objectives."""

    name: Name
    reason: _Sentence
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    match: RequestMatch = RequestMatch()

    def holds(self, asked: RequestTraits, create_date: datetime) -> bool:
        """Return whether the window applies to a request; ``ends_at`` itself is outside."""
        return self.starts_at <= create_date < self.ends_at and self.match.fits(asked)
