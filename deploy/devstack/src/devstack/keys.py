"""The local stack's own API keys: for each service one for its API, and one to administer it."""

from collections.abc import Sequence
from typing import Final

from shared.platform.access import store
from shared.platform.admin_api import NewKey
from shared.platform.api_keys import EVERY, SCOPES, Keyed, Scope, make_key, read_key
from shared.platform.postgres import Tx

__all__ = ["ensure_key", "key_file", "scopes_of"]

_LOCAL: Final = "local"
"""The tenant of the stack's own requests."""


def key_file(service: Keyed, *, admin: bool = False) -> str:
    """Return the name of the file with the stack's own key."""
    if admin:
        return f"{service}-admin-key"
    return "key" if service == "intake" else f"{service}-key"


def scopes_of(service: Keyed, *, admin: bool) -> Sequence[Scope]:
    """Return the scopes of the stack's own key: only to administer, or for all else."""
    return [scope for scope in SCOPES[service] if (scope == "admin") is admin]


async def ensure_key(tx: Tx, service: Keyed, text: str | None, *, admin: bool = False) -> str:
    """Make the stack's own key valid, and revoke earlier ones.

    Returns the key: ``text``, or a new one if that is None or not in force.
    """
    key = read_key(text or "")
    if key is not None and await store.key_in_force(tx, key.prefix):
        return key.text
    name = "admin" if admin else "stack"
    for old in await store.listed(tx):
        if (old.tenant, old.name, old.state) == (_LOCAL, name, "in force"):
            await store.revoke(tx, old.prefix)
    key, scopes = make_key(), list[str](scopes_of(service, admin=admin))
    new = NewKey(tenant=_LOCAL, name=name, scopes=scopes, owned=[] if admin else [EVERY])
    await store.create(tx, service, new, key)
    return key.text
