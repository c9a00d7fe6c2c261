"""The local stack: real PostgreSQL, Kafka, mail and the services, each a process."""

from premium.stack.addresses import Addresses
from premium.stack.databases import DATABASES
from premium.stack.errors import StackError
from premium.stack.reporting import Advance, Reporter
from premium.stack.services import SERVICES
from premium.stack.stack import Stack, State

__all__ = [
    "DATABASES",
    "SERVICES",
    "Addresses",
    "Advance",
    "Reporter",
    "Stack",
    "StackError",
    "State",
]
