"""The profile of a local stack: what operators' commands read to find it."""

import json
from collections.abc import Iterator

from devstack.addresses import Addresses
from devstack.state import Home, Memory
from premium.profile import SERVICES
from shared.platform.api_keys import SCOPES

__all__ = ["profile_of"]


def profile_of(home: Home, memory: Memory) -> str:
    """Write a stack's profile, in TOML."""
    return "".join(f"{line}\n" for line in _lines(home, memory))


def _lines(home: Home, memory: Memory) -> Iterator[str]:
    addresses = Addresses(memory)
    yield "# Written by `premium up`. The DSNs are of the owners of the databases."
    yield "[kafka]"
    yield f"bootstrap = {_quoted(addresses.kafka_bootstrap)}"
    files: dict[str, str] = {n: home.keys[n].name for n in SCOPES if n in memory.keys}
    for service in SERVICES:
        yield ""
        yield f"[services.{service}]"
        yield f"url = {_quoted(addresses.http(service))}"
        if file := files.get(service):
            yield f"key_file = {_quoted(file)}"
        yield f"dsn = {_quoted(addresses.dsn(service, owner=True))}"


def _quoted(text: str) -> str:
    """Write a string as TOML does, which is as JSON does."""
    return json.dumps(text)
