"""Who may use a service's HTTP door, for what, and how fast. What there is to do, it says itself.

The keys are kept in the service's table `access_key`; for what of its own a tenant speaks, the
service reads by a statement of its own.
"""

from shared.platform.access.desk import Access
from shared.platform.access.guard import Guard, check_scope, forbidden, needing
from shared.platform.access.keys import Key

__all__ = ["Access", "Guard", "Key", "check_scope", "forbidden", "needing"]
