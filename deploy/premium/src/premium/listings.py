"""What stands on a compacted topic, a record for each thing listed: laid out, and compared."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pydantic import BaseModel

from premium.profile import Profile
from shared.events import Envelope, Event
from shared.events.codec import headers_of, value_of
from shared.platform.publisher import Outgoing, Publisher

__all__ = ["changes", "listing", "publisher_of"]

_NAMED_MAX: Final = 20


def listing(envelope: Envelope[Event]) -> Outgoing:
    """Lay an event out as a record of its compacted topic."""
    event = envelope.event
    return Outgoing(event.topic, event.subject.encode(), value_of(event), headers_of(envelope))


def publisher_of(profile: Profile) -> Publisher:
    """Return a publisher to a deployment's topics; its caller stops it."""
    prefix = profile.topic_prefix
    return Publisher(profile.kafka_bootstrap, service="premium", topic_prefix=prefix)


def changes[E: Event](before: Mapping[str, E], after: Iterable[E]) -> Iterator[str]:
    """Say in a line each what an import changes; nothing of what stays as it is."""
    for new in after:
        old = before.get(new.subject)
        if old is None:
            yield f"+ {new.subject}"
        elif old != new:
            names = [n for n in type(new).model_fields if getattr(old, n) != getattr(new, n)]
            told = (_told(n, getattr(old, n), getattr(new, n)) for n in names)
            yield f"~ {new.subject}: {', '.join(told)}"


def _told(name: str, before: object, after: object) -> str:
    if isinstance(before, frozenset) and isinstance(after, frozenset):
        gone = [f"-{person}" for person in sorted(before - after)]
        come = [f"+{person}" for person in sorted(after - before)]
        return f"{name} {' '.join((*_some(gone), *_some(come)))}"
    if isinstance(before, BaseModel) and isinstance(after, BaseModel):
        before, after = dict(before), dict(after)
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        parts = (f"{key} {_short(before.get(key))} -> {_short(after.get(key))}" for key in keys)
        return f"{name} {', '.join(parts)}"
    return f"{name} {_short(before)} -> {_short(after)}"


def _some(names: list[str]) -> list[str]:
    """Name the first of many, and count the rest."""
    more = len(names) - _NAMED_MAX
    return names if more <= 0 else [*names[:_NAMED_MAX], f"(and {more:,} more)"]


def _short(value: object) -> str:
    match value:
        case tuple() | list():
            return "; ".join(map(_short, value)) or "none"
        case dict():
            return "; ".join(f"{key} {_short(part)}" for key, part in value.items()) or "none"
        case BaseModel():
            said = value.model_dump(mode="json", exclude_defaults=True)
            return f"({', '.join(f'{name} {_short(part)}' for name, part in said.items())})"
        case _:
            return "none" if value is None else str(value)
