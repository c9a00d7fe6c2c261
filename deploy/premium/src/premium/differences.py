"""Lists what an import changes, one line for each subject."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pydantic import BaseModel

from shared.events import Event

__all__ = ["changes"]

_NAMES_MAX: Final = 20


def changes[E: Event](before: Mapping[str, E], after: Iterable[E]) -> Iterator[str]:
    """Describe each new subject (+) and each changed one (~), field by field."""
    for new in after:
        old = before.get(new.subject)
        if old is None:
            yield f"+ {new.subject}"
        elif old != new:
            names = [n for n in type(new).model_fields if getattr(old, n) != getattr(new, n)]
            fields = (_field(n, getattr(old, n), getattr(new, n)) for n in names)
            yield f"~ {new.subject}: {', '.join(fields)}"


def _field(name: str, before: object, after: object) -> str:
    if isinstance(before, frozenset) and isinstance(after, frozenset):
        removed = [f"-{member}" for member in sorted(before - after)]
        added = [f"+{member}" for member in sorted(after - before)]
        return f"{name} {' '.join((*_first(removed), *_first(added)))}"
    if isinstance(before, BaseModel) and isinstance(after, BaseModel):
        before, after = dict(before), dict(after)
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        parts = (f"{key} {_short(before.get(key))} -> {_short(after.get(key))}" for key in keys)
        return f"{name} {', '.join(parts)}"
    return f"{name} {_short(before)} -> {_short(after)}"


def _first(names: list[str]) -> list[str]:
    """Keep the first names of a long list, and count the others."""
    more = len(names) - _NAMES_MAX
    return names if more <= 0 else [*names[:_NAMES_MAX], f"(and {more:,} more)"]


def _short(value: object) -> str:
    match value:
        case tuple() | list():
            return "; ".join(map(_short, value)) or "none"
        case dict():
            return "; ".join(f"{key} {_short(part)}" for key, part in value.items()) or "none"
        case BaseModel():
            fields = value.model_dump(mode="json", exclude_defaults=True)
            return f"({', '.join(f'{name} {_short(part)}' for name, part in fields.items())})"
        case _:
            return "none" if value is None else str(value)
