"""Loads intake's fixtures for tests of its clients."""

from tests.integration.intake.conftest import db, empty_intake, fresh, intake, submissions

__all__ = ["db", "empty_intake", "fresh", "intake", "submissions"]
