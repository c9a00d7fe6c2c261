"""What the day is made of (`day.yaml`) and who answers (`roster.yaml`), read and checked."""

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
    "Script",
    "Text",
    "Texts",
    "account_name",
    "accounts",
    "dice",
    "person",
    "roster",
    "script",
]

ROSTER = Path(str(files("lab.demo"))) / "roster.yaml"
"""The example roster."""
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Account(_Strict):
    """A customer. ``weight`` and ``languages`` are shares beside each other, not counts."""

    account_id: str
    name: str
    time_zone: str
    weight: int
    super_admins: Annotated[int, Field(ge=1)]
    seats: Annotated[int, Field(ge=1)]
    languages: dict[str, int]


class Text(_Strict):
    """What a customer writes."""

    subject: str
    body: str = ""


class Texts(_Strict):
    """What customers write in one language, by what it is about."""

    standard: list[Text]
    critical: list[Text]
    call: list[Text]


class Script(_Strict):
    """The accounts, and the words in each language."""

    accounts: list[Account]
    outage_account_id: str
    texts: dict[str, Texts]


@cache
def script() -> Script:
    """Read what the day is made of."""
    text = files("lab.demo").joinpath("day.yaml").read_text("utf-8")
    return Script.model_validate(yaml.safe_load(text))


@cache
def roster() -> tuple[SpecialistListed, ...]:
    """Read the example roster."""
    return read_roster(ROSTER)


@cache
def accounts() -> tuple[AccountListed, ...]:
    """List the customers with everybody who asks, each with a purchase without end."""
    return tuple(
        AccountListed(
            account_id=a.account_id,
            purchases=(Purchase(since=_LONG_AGO),),
            super_admins=frozenset(person("admin", n, a) for n in range(1, a.super_admins + 1)),
            seats=frozenset(person("user", n, a) for n in range(1, a.seats + 1)),
            time_zone=a.time_zone,
        )
        for a in script().accounts
    )


def person(kind: Literal["admin", "user"], number: int, account: Account) -> str:
    """Name somebody of a customer."""
    return f"{kind}-{number}@{account.account_id}"


@cache
def account_name(account_id: str) -> str:
    """Name an account as people know it; one that is not in the play goes by its id."""
    return {a.account_id: a.name for a in script().accounts}.get(account_id, account_id)


def dice(*seed: object) -> Random:
    """Make chance that falls the same for the same ``seed``, on every machine."""
    return Random("/".join(map(str, seed)))  # noqa: S311 - a play needs repeatable chance
