"""Loads intake's fixtures for tests of its clients."""

from tests.integration.intake.conftest import batcher, db, empty_intake, fresh, intake

__all__ = ["batcher", "db", "empty_intake", "fresh", "intake"]
