"""The local stack: real PostgreSQL, Kafka, mail and the services, each a process."""

from premium.stack.addresses import Addresses
from premium.stack.errors import StackError
from premium.stack.reporting import Reporter
from premium.stack.stack import Stack, State

__all__ = ["Addresses", "Reporter", "Stack", "StackError", "State"]
