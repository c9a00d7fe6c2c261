"""A policy: a list of rules, of which one determines the promises of a request."""

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
    """What a policy promises for a request. ``no_promise`` is the reason if it promises nothing."""

    rule: str
    promises: tuple[Promise, ...]
    no_promise: str | None
    reopen_within: timedelta


def _lasting(text: str) -> str:
    if duration_of(text, units=WALL_UNITS) < timedelta(0):
        raise ValueError(
            f"{text!r} is negative; '0 s' means that replies never reopen closed tickets"
        )
    return text


class Policy(Part):
    """A list of rules, of which the first that matches applies. Always valid once constructed."""

    policy_id: Name
    calendars: dict[Name, CalendarSpec] = Field(default_factory=dict)
    rules: tuple[PolicyRule, ...]
    exceptions: tuple[ExceptionWindow, ...] = ()
    reopen_within: Annotated[str, AfterValidator(_lasting)] = "30 d"
    """How long after its closing a ticket is reopened by a customer's reply."""

    @model_validator(mode="after")
    def _is_without_fault(self) -> Self:
        found = faults_of(self.calendars, self.rules, self.exceptions)
        if found:
            message = "; ".join(text for _, text in found)
            raise PydanticCustomError("policy", "{message}", {"message": message, "faults": found})
        return self

    @property
    def document(self) -> dict[str, Any]:
        """The policy as plain data, without default values."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def version(self) -> str:
        """A hash of the content: equal policies have equal versions."""
        canonical = json.dumps(
            self.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return sha256(canonical.encode()).hexdigest()[:_VERSION_CHARACTERS]

    def price(self, asked: RequestTraits, create_date: datetime) -> Pricing:
        """Return what is promised for a request with this create date, and by which rule."""
        offer = self._offers(asked)
        exception = next((x for x in self.exceptions if x.holds(asked, create_date)), None)
        excepted_by = exception.name if exception else None
        promises = tuple(undated.dated(create_date, excepted_by) for undated in offer.promises)
        within = duration_of(self.reopen_within, units=WALL_UNITS)
        return Pricing(offer.rule.name, promises, offer.rule.no_promise, within)

    @cached_property
    def _offers(self) -> Callable[[RequestTraits], "_Offer"]:
        """`_offer`, cached: many requests have the same traits."""
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
    """A promise without a due time, until the create date is known."""

    promise: Promise
    calendar: Calendar

    def dated(self, create_date: datetime, excepted_by: str | None) -> Promise:
        """Return the promise for a create date; in an exception a guarantee is an objective."""
        promise = self.promise
        changes: dict[str, object] = {}
        if promise.kind != "next_response":
            changes["due_at"] = self.calendar.add_business(create_date, promise.target)
        if excepted_by is not None and promise.promise_class == "guarantee":
            changes |= {"promise_class": "objective", "exception": excepted_by}
        return promise.model_copy(update=changes)


class _Offer(NamedTuple):
    """The rule for some request traits, and its promises."""

    rule: PolicyRule
    promises: tuple[_Undated, ...]
