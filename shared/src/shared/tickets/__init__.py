"""What all services derive from a ticket's events in the same way: its status and due times."""

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
