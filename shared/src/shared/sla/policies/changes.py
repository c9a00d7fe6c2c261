"""The differences between two policies, by the names of their parts."""

from collections.abc import Iterator, Mapping, Sequence

from shared.sla.policies.policy import Policy

__all__ = ["changes"]


def changes(old: Policy, new: Policy) -> Iterator[str]:
    """Describe each difference in a line; order counts, because the first matching rule wins."""
    yield from _changes("rule", _by_name(old.rules), _by_name(new.rules))
    yield from _changes("calendar", old.calendars, new.calendars)
    yield from _changes("exception", _by_name(old.exceptions), _by_name(new.exceptions))
    kept_before = [rule.name for rule in old.rules if rule.name in _by_name(new.rules)]
    kept_now = [rule.name for rule in new.rules if rule.name in _by_name(old.rules)]
    if kept_before != kept_now:
        yield f"rules in another order: {', '.join(rule.name for rule in new.rules)}"


def _by_name[T](parts: Sequence[T]) -> dict[str, T]:
    return {part.name: part for part in parts}  # type: ignore[attr-defined]


def _changes(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old:
            yield f"{what} {name}: added"
        elif name not in new:
            yield f"{what} {name}: removed"
        elif old[name] != new[name]:
            yield f"{what} {name}: changed"
