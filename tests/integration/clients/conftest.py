"""Loads intake's fixtures for tests of its clients."""

from tests.integration.intake.conftest import db, fresh, intake, reception, stranger

__all__ = ["db", "fresh", "intake", "reception", "stranger"]
