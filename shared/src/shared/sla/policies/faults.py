"""Finds the faults of a policy that no single field shows, each with its path in the document."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from shared.basics.yaml_source import KeyPath, did_you_mean
from shared.sla.policies.coverage import Coverage
from shared.sla.policies.parts import ExceptionWindow, PolicyRule, Terms
from shared.sla.promises import ALWAYS, duration_of, warn_at

__all__ = ["Fault", "faults_of"]

type Fault = tuple[KeyPath, str]

_REMEDY: Final = "add a rule, possibly one with no_promise and the reason"


def faults_of(
    calendars: Mapping[str, object],
    rules: Sequence[PolicyRule],
    exceptions: Sequence[ExceptionWindow],
) -> list[Fault]:
    """Return all faults that no single field of a policy shows."""
    found = [*_names("rules", rules), *_names("exceptions", exceptions)]
    if ALWAYS in calendars:
        found.append((("calendars", ALWAYS), f"{ALWAYS!r} is built in; choose another name"))
    for index, rule in enumerate(rules):
        found += _of_rule(("rules", index), rule, [ALWAYS, *calendars])
    return [*found, *_of_order(rules), *_of_exceptions(exceptions)]


def _names(key: str, parts: Sequence[PolicyRule] | Sequence[ExceptionWindow]) -> Iterator[Fault]:
    names = [part.name for part in parts]
    for index, name in enumerate(names):
        if (first := names.index(name)) < index:
            yield (key, index, "name"), f"{name!r} is the name of {key}[{first}]; choose another"


def _of_rule(path: KeyPath, rule: PolicyRule, calendars: Sequence[str]) -> Iterator[Fault]:
    if rule.promises and rule.no_promise is not None:
        yield (*path, "no_promise"), "the rule has promises, too; keep one of the two"
    if not rule.promises and rule.no_promise is None:
        yield path, "promises nothing; add promises, or no_promise with the reason"
    kinds = [terms.kind for terms in rule.promises]
    for index, terms in enumerate(rule.promises):
        place = (*path, "promises", index)
        if terms.kind in kinds[:index]:
            yield (*place, "kind"), f"{terms.kind} is promised by this rule already; keep one"
        if terms.calendar not in calendars:
            hint = did_you_mean(terms.calendar, calendars)
            yield (*place, "calendar"), f"there is no calendar {terms.calendar!r}; {hint}"
        yield from _of_warnings((*place, "warnings"), terms)


def _of_warnings(path: KeyPath, terms: Terms) -> Iterator[Fault]:
    target = duration_of(terms.target)
    for index, point in enumerate(terms.warnings):
        try:
            warn_at(point, target)
        except ValueError as e:
            yield (*path, index), str(e)
        if point in terms.warnings[:index]:
            yield (*path, index), f"{point!r} is listed twice; keep one"


def _of_order(rules: Sequence[PolicyRule]) -> Iterator[Fault]:
    """Find rules that never apply, and requests that no rule covers."""
    coverage = Coverage([rule.match for rule in rules])
    for index, taken in enumerate(coverage.taken):
        if not taken:
            earlier = ", ".join(repr(rules[i].name) for i in coverage.covering(index))
            yield (
                ("rules", index, "match"),
                f"never matches: {earlier} before it take all; put it first, or delete it",
            )
    if (left := coverage.uncovered()) is not None:
        example = [
            f"{attribute} {value}" if value else f"any other {attribute}"
            for attribute, value in left.items()
            if value or len(coverage.values[attribute]) > 1
        ]
        yield ("rules",), f"no rule covers, for example, {', '.join(example)}; {_REMEDY}"


def _of_exceptions(exceptions: Sequence[ExceptionWindow]) -> Iterator[Fault]:
    for index, exception in enumerate(exceptions):
        if exception.ends_at <= exception.starts_at:
            yield ("exceptions", index, "ends_at"), "lies before starts_at; exchange the two"
    for (_, first), (index, second) in combinations(enumerate(exceptions), 2):
        apart = first.ends_at <= second.starts_at or second.ends_at <= first.starts_at
        if not apart and first.match == second.match:
            yield (
                ("exceptions", index),
                f"overlaps with {first.name!r}, which matches the same requests; merge the two",
            )
