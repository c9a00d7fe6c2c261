"""The fixtures of intake, for clients that send to it."""

from tests.integration.intake.conftest import db, fresh, intake, reception, stranger

__all__ = ["db", "fresh", "intake", "reception", "stranger"]
