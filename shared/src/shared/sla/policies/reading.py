"""Parses a policy document, or reports every fault with its position."""

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
    """Return the built-in policy, which applies until another one is published."""
    text = files("shared.sla.policies").joinpath(_DEFAULT).read_text("utf-8")
    return policy_of(parse_yaml(text, _DEFAULT), ())


def policy_of(document: YamlDocument, faults: Iterable[Fault]) -> Policy:
    """Build the policy. Raises Refused with ``faults`` and those found here."""
    found = list(faults)
    try:
        policy = Policy.model_validate(document.content)
    except ValidationError as e:
        found += _faults(document, e)
    if found:
        placed = {(document.place_of(path), _with_field(path, text)) for path, text in found}
        raise Refused(*sorted(placed, key=lambda fault: (fault[0].line, fault[0].column)))
    return policy


def _with_field(path: KeyPath, text: str) -> str:
    """Prefix the text of a fault with its field, such as ``rules[2].match.role``."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"{field.removeprefix('.') or 'policy'}: {text}"


def _faults(document: YamlDocument, error: ValidationError) -> list[Fault]:
    """Convert pydantic's errors to faults with paths in the document."""
    raw: list[Any] = error.errors(include_url=False)
    for fault in raw:
        if fault["type"] == "policy":
            combined: list[Fault] = fault["ctx"]["faults"]
            return combined
    placed = [(_path_in(document, fault["loc"]), fault) for fault in raw]
    found: list[Fault] = []
    for path, fault in sorted(placed, key=lambda x: (x[1]["type"] == "missing", -len(x[0]))):
        if not _is_reported(found, path, fault):
            found.append((path, describe_error(fault, keys_at(Policy, path))))
    return found


def _path_in(document: YamlDocument, loc: KeyPath) -> KeyPath:
    """Drop the parts of ``loc`` that pydantic adds, such as the branch of a union."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in document.places:
            path = (*path, part)
    return path


def _is_reported(
    found: Iterable[Fault],
    path: KeyPath,
    fault: Any,  # noqa: ANN401 - as above
) -> bool:
    """Return whether ``found`` has a fault that explains this one: a misspelt key, or one below."""
    if fault["type"] == "missing":
        slip = did_you_mean(str(fault["loc"][-1]), [str(fault["loc"][-1])])
        return any(at[:-1] == path and text.endswith(slip) for at, text in found)
    return any(at[: len(path)] == path for at, _ in found)
