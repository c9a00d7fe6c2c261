"""Accounts read from YAML or CSV; every fault is named with its place and its remedy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from premium.roster.table import Columns, read_table, words
from shared.basics.yaml_source import Fault, YamlDocument, faults_of, read_yaml, refused
from shared.events import EVERYONE, AccountListed, Purchase

__all__ = ["read"]

_ALL: Final = "accounts"
_NOTHING: Final = frozenset({"", "~", "null"})


def _seats(text: str) -> object:
    """Read everyone, or bob; carol."""
    return text if text == EVERYONE else words(text)


_COLUMNS: Final[Columns] = {
    "account_id": (("account_id",), str),
    "since": (("purchase", "since"), str),
    "until": (("purchase", "until"), str),
    "super_admins": (("super_admins",), words),
    "seats": (("seats",), _seats),
    "time_zone": (("time_zone",), str),
    "language": (("language",), str),
    "tier": (("tier",), str),
    "region": (("region",), str),
}
"""A row an account, with one purchase at most."""


class _Purchase(Purchase):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Account(AccountListed):
    model_config = ConfigDict(extra="forbid", frozen=True)

    purchases: tuple[_Purchase, ...] = ()
    part: None = None
    """A file holds whole accounts; what is large is divided when it is published."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accounts: list[_Account]


def read(file: Path) -> tuple[AccountListed, ...]:
    """Read and check accounts; raises Refused with all their faults."""
    if file.suffix == ".csv":
        document = read_table(file, _COLUMNS, _ALL)
        _list_purchases(document)
    else:
        document = read_yaml(file)
        _leave_out_nothing(document.content)
    try:
        found = _File.model_validate(document.content).accounts
    except ValidationError as e:
        raise refused(document, [*faults_of(document, _File, e), *_twice(document)]) from e
    if twice := [*_twice(document)]:
        raise refused(document, twice)
    return tuple(AccountListed.model_validate(account.model_dump()) for account in found)


def _list_purchases(document: YamlDocument) -> None:
    """Make a list of the one purchase of a row, each part still where it was typed."""
    for index, account in _accounts(document):
        if (purchase := account.pop("purchase", None)) is not None:
            account["purchases"] = [purchase]
            at = (_ALL, index)
            for name in purchase:
                document.places[*at, "purchases", 0, name] = document.places[*at, "purchase", name]
            document.places[*at, "purchases"] = document.places[*at, "purchase"]


def _leave_out_nothing(content: Any) -> None:  # noqa: ANN401 - YAML may hold anything
    """Leave out keys without a value, as ``until:`` of a purchase that does not end."""
    if isinstance(content, dict):
        for key, value in list(content.items()):
            if isinstance(value, str) and value in _NOTHING:
                del content[key]
            else:
                _leave_out_nothing(value)
    elif isinstance(content, list):
        for inner in content:
            _leave_out_nothing(inner)


def _twice(document: YamlDocument) -> Iterator[Fault]:
    lines: dict[str, int] = {}
    for index, account in _accounts(document):
        path = (_ALL, index, "account_id")
        name, line = str(account.get("account_id")), document.place_of(path).line
        if name in lines and path in document.places:
            yield path, f"{name!r} is listed in line {lines[name]} already; keep one"
        lines.setdefault(name, line)


def _accounts(document: YamlDocument) -> Iterator[tuple[int, dict[str, Any]]]:
    content = document.content
    accounts = content.get(_ALL) if isinstance(content, dict) else None
    for index, account in enumerate(accounts if isinstance(accounts, list) else ()):
        if isinstance(account, dict):
            yield index, account
