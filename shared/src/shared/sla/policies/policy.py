"""A policy is a value: which request gets which promises, by which rule, and from where that is."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.sla.calendars import Calendar, CalendarSpec
from shared.sla.policies.faults import faults_of
from shared.sla.policies.parts import ExceptionWindow, Name, Part, PolicyRule, RequestTraits, Terms
from shared.sla.promises import ALWAYS, BUILT_IN, WALL_UNITS, Promise, duration_of

__all__ = ["Policy", "Pricing"]

_VERSION_CHARACTERS: Final = 12
_KINDS_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Pricing:
    """What a policy says to a request. ``no_promise`` is the reason where nothing is promised."""

    rule: str
    promises: tuple[Promise, ...]
    no_promise: str | None
    reopen_within: timedelta


def _lasting(text: str) -> str:
    if duration_of(text, units=WALL_UNITS) < timedelta(0):
        raise ValueError(f"{text!r} is negative; '0 s' lets no reply reopen what is closed")
    return text


class Policy(Part):
    """Rules in order, of which the first that matches counts. A policy with a fault cannot be."""

    policy_id: Name
    calendars: dict[Name, CalendarSpec] = Field(default_factory=dict)
    rules: tuple[PolicyRule, ...]
    exceptions: tuple[ExceptionWindow, ...] = ()
    reopen_within: Annotated[str, AfterValidator(_lasting)] = "30 d"
    """For how long after it was closed a ticket is reopened by a reply of its customer."""

    @model_validator(mode="after")
    def _is_without_fault(self) -> Self:
        found = faults_of(self.calendars, self.rules, self.exceptions)
        if found:
            told = "; ".join(text for _, text in found)
            raise PydanticCustomError("policy", "{told}", {"told": told, "faults": found})
        return self

    @property
    def document(self) -> dict[str, Any]:
        """The policy as plain data, without what it leaves to defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def version(self) -> str:
        """The content's hash: what says the same has the same version."""
        canonical = json.dumps(
            self.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return sha256(canonical.encode()).hexdigest()[:_VERSION_CHARACTERS]

    def price(self, asked: RequestTraits, create_date: datetime) -> Pricing:
        """Say what a request is promised from its create date, and by which rule."""
        offer = self._offers(asked)
        exception = next((x for x in self.exceptions if x.holds(asked, create_date)), None)
        excepted_by = exception.name if exception else None
        promises = tuple(undated.dated(create_date, excepted_by) for undated in offer.promises)
        within = duration_of(self.reopen_within, units=WALL_UNITS)
        return Pricing(offer.rule.name, promises, offer.rule.no_promise, within)

    @cached_property
    def _offers(self) -> Callable[[RequestTraits], "_Offer"]:
        """Look up once what a kind of request is promised: thousands are of one kind."""
        return lru_cache(maxsize=_KINDS_MAX)(self._offer)

    def _offer(self, asked: RequestTraits) -> "_Offer":
        rule = next(rule for rule in self.rules if rule.match.fits(asked))
        return _Offer(
            rule, tuple(self._undated(terms, rule.name, asked) for terms in rule.promises)
        )

    def _undated(self, terms: Terms, rule: str, asked: RequestTraits) -> "_Undated":
        spec = self.calendars.get(terms.calendar)
        calendar = (spec or BUILT_IN[ALWAYS]).bound(zone=asked.time_zone, region=asked.region)
        target = duration_of(terms.target)
        promise = Promise(
            kind=terms.kind,
            promise_class=terms.promise_class,
            target_s=int(target.total_seconds()),
            calendar=terms.calendar,
            calendar_spec=spec,
            calendar_version=calendar.version if spec else "",
            time_zone=asked.time_zone,
            region=asked.region,
            due_at=None,
            rule=rule,
            warnings=terms.warnings,
            pause_on=terms.pause_on,
        )
        return _Undated(promise, calendar)


class _Undated(NamedTuple):
    """A promise before it is known when the ticket was created."""

    promise: Promise
    calendar: Calendar

    def dated(self, create_date: datetime, excepted_by: str | None) -> Promise:
        """Let it run from a create date; an exception makes a guarantee an objective."""
        promise = self.promise
        told: dict[str, object] = {}
        if promise.kind != "next_response":
            told["due_at"] = self.calendar.add_business(create_date, promise.target)
        if excepted_by is not None and promise.promise_class == "guarantee":
            told |= {"promise_class": "objective", "exception": excepted_by}
        return promise.model_copy(update=told)


class _Offer(NamedTuple):
    """The rule for a kind of request, and what it promises."""

    rule: PolicyRule
    promises: tuple[_Undated, ...]
