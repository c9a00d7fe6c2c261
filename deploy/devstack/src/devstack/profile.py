"""The profile of a local stack, which operators' commands read."""

import json
from collections.abc import Iterator

from devstack.addresses import Addresses
from devstack.keys import key_file
from devstack.state import SavedState
from premium.profile import SERVICES

__all__ = ["profile_of"]


def profile_of(saved: SavedState) -> str:
    """Return a stack's profile, in TOML."""
    return "".join(f"{line}\n" for line in _lines(saved))


def _lines(saved: SavedState) -> Iterator[str]:
    addresses = Addresses(saved)
    yield "# Written by `premium up`. The DSNs are of the owners of the databases."
    yield "[kafka]"
    yield f"bootstrap = {_quoted(addresses.kafka_bootstrap)}"
    for service in SERVICES:
        yield ""
        yield f"[services.{service}]"
        yield f"url = {_quoted(addresses.http(service))}"
        for entry, admin in (("key_file", False), ("admin_key_file", True)):
            if (file := key_file(service, admin=admin)) in saved.keys:
                yield f"{entry} = {_quoted(file)}"
        yield f"dsn = {_quoted(addresses.dsn(service, owner=True))}"


def _quoted(text: str) -> str:
    """Quote a string for TOML, whose rules are JSON's."""
    return json.dumps(text)
