"""Reads accounts from YAML or CSV."""

from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from shared.basics.csv_source import Columns, list_of
from shared.basics.yaml_source import YamlDocument
from shared.events import EVERYONE, AccountListed, Purchase
from shared.listings.document import items_of, read_list, validated

__all__ = ["read_accounts"]

_ALL: Final = "accounts"
_EMPTY: Final = frozenset({"", "~", "null"})


def _seats(text: str) -> object:
    """Parse "everyone", or "bob; carol"."""
    return text if text == EVERYONE else list_of(text)


_COLUMNS: Final[Columns] = {
    "account_id": (("account_id",), str),
    "since": (("purchase", "since"), str),
    "until": (("purchase", "until"), str),
    "super_admins": (("super_admins",), list_of),
    "seats": (("seats",), _seats),
    "time_zone": (("time_zone",), str),
    "language": (("language",), str),
    "tier": (("tier",), str),
    "region": (("region",), str),
}
"""A row is an account with at most one purchase."""


class _Purchase(Purchase):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Account(AccountListed):
    model_config = ConfigDict(extra="forbid", frozen=True)

    purchases: tuple[_Purchase, ...] = ()
    part: None = None
    """A file holds whole accounts; large ones are split when they are published."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accounts: list[_Account]


def read_accounts(file: Path) -> tuple[AccountListed, ...]:
    """Read and check accounts.

    Raises:
        Refused: with all faults of the file.
    """
    document = read_list(file, _COLUMNS, _ALL)
    if file.suffix == ".csv":
        _list_purchases(document)
    else:
        _drop_empty(document.content)
    found = validated(document, _File, _ALL, "account_id").accounts
    return tuple(AccountListed.model_validate(account.model_dump()) for account in found)


def _list_purchases(document: YamlDocument) -> None:
    """Put the one purchase of each row into a list, with its positions in the file."""
    for index, account in items_of(document, _ALL):
        if (purchase := account.pop("purchase", None)) is not None:
            account["purchases"] = [purchase]
            at = (_ALL, index)
            for name in purchase:
                document.places[*at, "purchases", 0, name] = document.places[*at, "purchase", name]
            document.places[*at, "purchases"] = document.places[*at, "purchase"]


def _drop_empty(content: Any) -> None:  # noqa: ANN401 - YAML may hold anything
    """Delete keys without a value, such as ``until:`` of a purchase without an end."""
    if isinstance(content, dict):
        for key, value in list(content.items()):
            if isinstance(value, str) and value in _EMPTY:
                del content[key]
            else:
                _drop_empty(value)
    elif isinstance(content, list):
        for inner in content:
            _drop_empty(inner)
