"""What senders may see of what they sent."""

from intake.store.queries import details, note_reading, receipt, save_clocks, ticket

__all__ = ["details", "note_reading", "receipt", "save_clocks", "ticket"]
