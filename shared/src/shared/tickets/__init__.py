"""The rules of promises that all services share: the life of a ticket."""

from shared.tickets.lifecycle import (
    AHEAD_MAX,
    Kind,
    LifecycleFact,
    Status,
    TicketLife,
    fact_of,
    identity_of,
    in_order,
    kind_of,
    lifecycle,
    lives,
)

__all__ = [
    "AHEAD_MAX",
    "Kind",
    "LifecycleFact",
    "Status",
    "TicketLife",
    "fact_of",
    "identity_of",
    "in_order",
    "kind_of",
    "lifecycle",
    "lives",
]
