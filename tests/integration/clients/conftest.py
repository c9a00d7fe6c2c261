"""The fixtures of intake, for clients that send to it."""

from tests.integration.intake.conftest import batcher, db, empty_intake, fresh, intake

__all__ = ["batcher", "db", "empty_intake", "fresh", "intake"]
