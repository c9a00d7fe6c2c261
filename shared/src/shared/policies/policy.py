"""A policy is a value: which request gets which promises, by which rule, and from where that is."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.calendars import CalendarSpec
from shared.policies.faults import faults_of
from shared.policies.parts import Asked, ExceptionWindow, Name, Part, Rule, Terms
from shared.promises import ALWAYS, BUILT_IN, Promise, duration_of

__all__ = ["Policy", "Pricing"]

_VERSION_CHARACTERS: Final = 12


@dataclass(frozen=True, slots=True)
class Pricing:
    """What a policy says to a request. ``no_promise`` is the reason where nothing is promised."""

    rule: str
    promises: tuple[Promise, ...]
    no_promise: str | None


class Policy(Part):
    """Rules in order, of which the first that matches counts. A policy with a fault cannot be."""

    policy_id: Name
    calendars: dict[Name, CalendarSpec] = Field(default_factory=dict)
    rules: tuple[Rule, ...]
    exceptions: tuple[ExceptionWindow, ...] = ()

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

    def price(self, asked: Asked, create_date: datetime) -> Pricing:
        """Say what a request is promised from its create date, and by which rule."""
        rule = next(rule for rule in self.rules if rule.match.fits(asked))
        exception = next((x for x in self.exceptions if x.holds(asked, create_date)), None)
        excepted_by = exception.name if exception else None
        promises = (
            self._promise(terms, rule.name, asked, create_date, excepted_by)
            for terms in rule.promises
        )
        return Pricing(rule.name, tuple(promises), rule.no_promise)

    def _promise(
        self, terms: Terms, rule: str, asked: Asked, create_date: datetime, excepted_by: str | None
    ) -> Promise:
        spec = self.calendars.get(terms.calendar)
        calendar = (spec or BUILT_IN[ALWAYS]).bound(zone=asked.time_zone, region=asked.region)
        target = duration_of(terms.target)
        exception = excepted_by if terms.promise_class == "guarantee" else None
        starts = terms.kind != "next_response"
        return Promise(
            kind=terms.kind,
            promise_class="objective" if exception else terms.promise_class,
            target_s=int(target.total_seconds()),
            calendar=terms.calendar,
            calendar_spec=spec,
            calendar_version=calendar.version if spec else "",
            time_zone=asked.time_zone,
            region=asked.region,
            due_at=calendar.add_business(create_date, target) if starts else None,
            rule=rule,
            warnings=terms.warnings,
            pause_on=terms.pause_on,
            exception=exception,
        )
