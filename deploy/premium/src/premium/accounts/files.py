"""Accounts read from YAML or CSV; every fault is named with its place."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from premium.stack.errors import StackError
from shared.events import EVERYONE, AccountListed
from shared.events.codec import describe

__all__ = ["read"]

_PLAIN: Final = ("time_zone", "language", "tier", "region")
_COLUMNS: Final = frozenset({"account_id", "since", "until", "super_admins", "seats", *_PLAIN})


class _Account(AccountListed):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accounts: list[_Account]


def read(file: Path) -> tuple[AccountListed, ...]:
    """Read accounts. Raises StackError that names file, line or account, and fault."""
    try:
        with file.open(encoding="utf-8", newline="") as text:
            rows = _of_csv(file, text) if file.suffix == ".csv" else _of_yaml(file, text)
            found = tuple(AccountListed.model_validate(row.model_dump()) for row in rows)
    except OSError as e:
        raise StackError(f"{file}: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise StackError(f"{file}: not UTF-8 at byte {e.start}; save it as UTF-8") from None
    twice = [a.account_id for n, a in enumerate(found) if a.account_id in _ids(found[:n])]
    if twice:
        raise StackError(f"{file}: {twice[0]} is listed twice; keep one")
    return found


def _ids(accounts: tuple[AccountListed, ...]) -> set[str]:
    return {account.account_id for account in accounts}


def _of_yaml(file: Path, text: Any) -> list[_Account]:  # noqa: ANN401 - an open file
    try:
        return _File.model_validate(yaml.safe_load(text)).accounts
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise StackError(f"{file}:{line}: {e.problem}") from None
    except ValidationError as e:
        raise StackError(f"{file}: {describe(e)}") from None


def _of_csv(file: Path, text: Any) -> Iterator[_Account]:  # noqa: ANN401 - an open file
    """Read a row an account: people apart by semicolons, one purchase from since to until."""
    rows = csv.DictReader(text)
    unknown = set(rows.fieldnames or ()) - _COLUMNS
    if unknown or "account_id" not in (rows.fieldnames or ()):
        wrong = f"no column {', '.join(sorted(unknown))}" if unknown else "no column account_id"
        raise StackError(f"{file}:1: {wrong}; there are {', '.join(sorted(_COLUMNS))}")
    for row in rows:
        try:
            yield _Account.model_validate(_account(row))
        except ValidationError as e:
            raise StackError(f"{file}:{rows.line_num}: {describe(e)}") from None


def _account(row: dict[str, str]) -> dict[str, object]:
    bought = {name: row[name] for name in ("since", "until") if row.get(name)}
    return {
        "account_id": row["account_id"],
        "purchases": [bought] if bought else [],
        "super_admins": _people(row.get("super_admins", "")),
        "seats": EVERYONE if row.get("seats") == EVERYONE else _people(row.get("seats", "")),
        **{name: row[name] for name in _PLAIN if row.get(name)},
    }


def _people(text: str) -> list[str]:
    return [person.strip() for person in text.split(";") if person.strip()]
