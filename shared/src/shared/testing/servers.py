"""Chooses the PostgreSQL and Kafka for tests: given servers, containers, or the local stack.

PREMIUM_TEST_SERVERS forces a choice. Otherwise the servers in PREMIUM_POSTGRES_DSN and
PREMIUM_KAFKA_BOOTSTRAP are used; else containers, if a Docker daemon is running and has the images
or can pull them; else the local stack.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args, override

from shared.testing import containers

__all__ = ["Choice", "Servers", "UnusableServersError", "choose", "from_environment"]

type BackEnd = Literal["env", "containers", "local"]

_BACK_ENDS: Final = get_args(BackEnd.__value__)
_GIVEN: Final = ("PREMIUM_POSTGRES_DSN", "PREMIUM_KAFKA_BOOTSTRAP")


class UnusableServersError(Exception):
    """The environment asks for servers that cannot be used; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Running servers. ``postgres_dsn`` is an administrator's: tests create databases and roles."""

    postgres_dsn: str
    kafka_bootstrap: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen back end, and the reason."""

    back_end: BackEnd
    why: str

    @override
    def __str__(self) -> str:
        """Format it for pytest's header."""
        return f"servers: {self.back_end} ({self.why})"


def choose(environ: Mapping[str, str] = os.environ) -> Choice:
    """Choose a back end. Takes some seconds if an image is missing and no registry answers.

    Raises:
        UnusableServersError: the forced back end cannot be used.
    """
    forced = environ.get("PREMIUM_TEST_SERVERS")
    if forced is not None:
        return _forced(forced, environ)
    if not (missing := _missing(environ)):
        return Choice("env", " and ".join(_GIVEN))
    if len(missing) < len(_GIVEN):
        raise UnusableServersError(f"{missing[0]} is missing; set it too, or unset the other")
    obstacle = containers.why_unusable(environ)
    if obstacle is None:
        return Choice("containers", " and ".join(containers.images(environ)))
    return Choice("local", f"no containers: {obstacle}")


def from_environment(environ: Mapping[str, str] = os.environ) -> Servers:
    """Return the servers that the environment names."""
    return Servers(*(environ[name] for name in _GIVEN))


def _forced(back_end: str, environ: Mapping[str, str]) -> Choice:
    if back_end not in _BACK_ENDS:
        raise UnusableServersError(
            f"PREMIUM_TEST_SERVERS={back_end}: choose one of {', '.join(_BACK_ENDS)}"
        )
    if back_end == "env" and (missing := _missing(environ)):
        raise UnusableServersError(f"PREMIUM_TEST_SERVERS=env: set {' and '.join(missing)}")
    if back_end == "containers" and (obstacle := containers.why_unusable(environ)):
        raise UnusableServersError(f"PREMIUM_TEST_SERVERS=containers: {obstacle}")
    return Choice(cast("BackEnd", back_end), "PREMIUM_TEST_SERVERS")


def _missing(environ: Mapping[str, str]) -> list[str]:
    return [name for name in _GIVEN if not environ.get(name)]
