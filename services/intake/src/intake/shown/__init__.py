"""What senders may see of what they sent."""

from intake.shown.store import details, note_reading, receipt, ticket

__all__ = ["details", "note_reading", "receipt", "ticket"]
