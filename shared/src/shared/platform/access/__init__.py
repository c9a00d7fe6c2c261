"""API keys: authentication, scopes and rate limits of a service's HTTP API.

The keys are stored in the service's table `access_key`, and what they may use (sources,
specialists, accounts) in `access_owned`.
"""

from shared.platform.access.authenticator import Authenticator
from shared.platform.access.guard import Guard, check_scope, forbidden, require_scopes
from shared.platform.access.keys import Key

__all__ = ["Authenticator", "Guard", "Key", "check_scope", "forbidden", "require_scopes"]
