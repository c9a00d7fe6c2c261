"""Who may use a service's HTTP door, for what, and how fast. What there is to do, it says itself.

The keys are kept in the service's table `access_key`; for what of its own a tenant speaks, the
service reads by a statement of its own.
"""

from shared.platform.access.authenticator import Authenticator
from shared.platform.access.guard import Guard, check_scope, forbidden, require_scopes
from shared.platform.access.keys import Key

__all__ = ["Authenticator", "Guard", "Key", "check_scope", "forbidden", "require_scopes"]
