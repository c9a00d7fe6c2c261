"""Reads a policy as somebody wrote it: the value, or every fault with its place."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pydantic import ValidationError

from shared.basics.yaml_source import (
    KeyPath,
    Refused,
    YamlDocument,
    describe_error,
    did_you_mean,
    keys_at,
    parse_yaml,
)
from shared.sla.policies.faults import Fault
from shared.sla.policies.policy import Policy

__all__ = ["default_policy", "policy_of"]

_DEFAULT: Final = "default.yaml"


@cache
def default_policy() -> Policy:
    """Read the policy that holds until one is published: DOMAIN's table."""
    text = files("shared.sla.policies").joinpath(_DEFAULT).read_text("utf-8")
    return policy_of(parse_yaml(text, _DEFAULT), ())


def policy_of(document: YamlDocument, faults: Iterable[Fault]) -> Policy:
    """Make the policy; raises Refused with ``faults`` and all others."""
    found = list(faults)
    try:
        policy = Policy.model_validate(document.content)
    except ValidationError as e:
        found += _faults(document, e)
    if found:
        placed = {(document.place_of(path), _told(path, text)) for path, text in found}
        raise Refused(*sorted(placed, key=lambda fault: (fault[0].line, fault[0].column)))
    return policy


def _told(path: KeyPath, text: str) -> str:
    """Put the field before the fault, written as rules[2].match.role."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"{field.removeprefix('.') or 'policy'}: {text}"


def _faults(document: YamlDocument, error: ValidationError) -> list[Fault]:
    """Name what pydantic found, in the document's own terms."""
    raw: list[Any] = error.errors(include_url=False)
    for fault in raw:
        if fault["type"] == "policy":
            together: list[Fault] = fault["ctx"]["faults"]
            return together
    placed = [(_path_in(document, fault["loc"]), fault) for fault in raw]
    found: list[Fault] = []
    for path, fault in sorted(placed, key=lambda x: (x[1]["type"] == "missing", -len(x[0]))):
        if not _is_told(found, path, fault):
            found.append((path, describe_error(fault, keys_at(Policy, path))))
    return found


def _path_in(document: YamlDocument, loc: KeyPath) -> KeyPath:
    """Leave out what pydantic adds to a place: the arm of a union, the list around one value."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in document.places:
            path = (*path, part)
    return path


def _is_told(found: Iterable[Fault], path: KeyPath, fault: Any) -> bool:  # noqa: ANN401 - as above
    """Tell whether another fault says it: a key that is misspelt, a union's nearer arm."""
    if fault["type"] == "missing":
        slip = did_you_mean(str(fault["loc"][-1]), [str(fault["loc"][-1])])
        return any(at[:-1] == path and text.endswith(slip) for at, text in found)
    return any(at[: len(path)] == path for at, _ in found)
