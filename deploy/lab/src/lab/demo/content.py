"""The demo's accounts and texts (`day.yaml`) and its roster (`roster.yaml`)."""

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from shared.events import AccountListed, Purchase, SpecialistListed
from shared.listings import read_roster

__all__ = [
    "ROSTER",
    "Account",
    "DayContent",
    "Text",
    "Texts",
    "account_name",
    "accounts",
    "day_content",
    "person",
    "roster",
    "seeded_random",
]

ROSTER = Path(str(files("lab.demo"))) / "roster.yaml"
"""The example roster."""
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Account(_Strict):
    """A customer. ``weight`` and the numbers of ``languages`` are relative shares."""

    account_id: str
    name: str
    time_zone: str
    weight: int
    super_admins: Annotated[int, Field(ge=1)]
    seats: Annotated[int, Field(ge=1)]
    languages: dict[str, int]


class Text(_Strict):
    """The text of a request."""

    subject: str
    body: str = ""


class Texts(_Strict):
    """The texts of requests in one language."""

    standard: list[Text]
    critical: list[Text]
    call: list[Text]


class DayContent(_Strict):
    """The accounts, and the texts in each language."""

    accounts: list[Account]
    outage_account_id: str
    texts: dict[str, Texts]


@cache
def day_content() -> DayContent:
    """Read the accounts and texts."""
    text = files("lab.demo").joinpath("day.yaml").read_text("utf-8")
    return DayContent.model_validate(yaml.safe_load(text))


@cache
def roster() -> tuple[SpecialistListed, ...]:
    """Read the example roster."""
    return read_roster(ROSTER)


@cache
def accounts() -> tuple[AccountListed, ...]:
    """Return the accounts with all their people and a purchase without an end."""
    return tuple(
        AccountListed(
            account_id=a.account_id,
            purchases=(Purchase(since=_LONG_AGO),),
            super_admins=frozenset(person("admin", n, a) for n in range(1, a.super_admins + 1)),
            seats=frozenset(person("user", n, a) for n in range(1, a.seats + 1)),
            time_zone=a.time_zone,
        )
        for a in day_content().accounts
    )


def person(kind: Literal["admin", "user"], number: int, account: Account) -> str:
    """Return the id of a person of a customer."""
    return f"{kind}-{number}@{account.account_id}"


@cache
def account_name(account_id: str) -> str:
    """Return an account's name; its id if it is not one of the demo's."""
    return {a.account_id: a.name for a in day_content().accounts}.get(account_id, account_id)


def seeded_random(*seed: object) -> Random:
    """Return a random generator that gives the same numbers for the same ``seed``."""
    return Random("/".join(map(str, seed)))  # noqa: S311 - repeatable, not secret
