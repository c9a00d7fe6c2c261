"""The rules of promises that all services share: the life of a ticket."""

from shared.tickets.lifecycle import (
    AHEAD_MAX,
    FactKind,
    LifecycleFact,
    Status,
    TicketLife,
    fact_of,
    identity_of,
    kind_of,
    lifecycle,
    lifecycle_steps,
    ordered_facts,
)

__all__ = [
    "AHEAD_MAX",
    "FactKind",
    "LifecycleFact",
    "Status",
    "TicketLife",
    "fact_of",
    "identity_of",
    "kind_of",
    "lifecycle",
    "lifecycle_steps",
    "ordered_facts",
]
