"""The profile of a local stack, which operators' commands read."""

import json
from collections.abc import Iterator

from devstack.addresses import Addresses
from devstack.state import Home, SavedState
from premium.profile import SERVICES
from shared.platform.api_keys import SCOPES

__all__ = ["profile_of"]


def profile_of(home: Home, saved: SavedState) -> str:
    """Return a stack's profile, in TOML."""
    return "".join(f"{line}\n" for line in _lines(home, saved))


def _lines(home: Home, saved: SavedState) -> Iterator[str]:
    addresses = Addresses(saved)
    yield "# Written by `premium up`. The DSNs are of the owners of the databases."
    yield "[kafka]"
    yield f"bootstrap = {_quoted(addresses.kafka_bootstrap)}"
    files: dict[str, str] = {n: home.keys[n].name for n in SCOPES if n in saved.keys}
    for service in SERVICES:
        yield ""
        yield f"[services.{service}]"
        yield f"url = {_quoted(addresses.http(service))}"
        if file := files.get(service):
            yield f"key_file = {_quoted(file)}"
        yield f"dsn = {_quoted(addresses.dsn(service, owner=True))}"


def _quoted(text: str) -> str:
    """Quote a string for TOML, whose rules are JSON's."""
    return json.dumps(text)
