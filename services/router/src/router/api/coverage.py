"""HTTP endpoint of infeasible promises."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from router.api.auth import ReadKey
from router.domain.coverage import Coverage
from router.store import coverage as coverage_store
from shared.events import Constraint
from shared.platform.api import EXAMPLE_TICKET_ID
from shared.platform.postgres import Database, now
from shared.sla.promises import Channel
from shared.web.formatting import span
from shared.wording import Reader
from shared.wording.waiting import missing_coverage

__all__ = ["Infeasible", "routes"]

_UTC: Final = Reader(duration=span)
"""A program reads it: instants in UTC."""


class Infeasible(BaseModel):
    """A waiting ticket that is due before a qualified specialist is on shift."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ticket_id": EXAMPLE_TICKET_ID,
                    "account_id": "northwind",
                    "channel": "phone",
                    "language": "ja",
                    "due_at": "2026-03-02T00:40:00Z",
                    "constraint": "no_shift",
                    "spoken": "ja",
                    "opens_at": "2026-03-02T01:00:00Z",
                    "words": "No Japanese line until 2026-03-02 01:00Z",
                }
            ]
        }
    )

    ticket_id: UUID
    account_id: str
    channel: Channel
    language: str
    due_at: datetime
    constraint: Constraint
    spoken: str = Field(description="English if no specialist speaks the ticket's language.")
    opens_at: datetime | None = Field(
        description="When a qualified specialist is next on shift, if ever."
    )
    words: str = Field(description="The reason, as a sentence.")


def routes(db: Database) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["queue"])

    @router.get("/v1/infeasible", summary="List infeasible promises")
    async def list_infeasible_tickets(_: ReadKey) -> list[Infeasible]:
        """List infeasible tickets that are not yet due: at most 500, the earliest due first."""
        async with db.transaction() as tx:
            rows = await coverage_store.infeasible_tickets(tx, await now(tx))
        return [_infeasible(Coverage(row.pop("opens_at"), row.pop("spoken")), row) for row in rows]

    return router


def _infeasible(coverage: Coverage, row: dict[str, Any]) -> Infeasible:
    """Build the response from the present coverage."""
    channel, opens_at = row["channel"], coverage.next_shift_at
    return Infeasible(
        **row,
        constraint=coverage.constraint,
        spoken=coverage.spoken,
        opens_at=opens_at,
        words=missing_coverage(channel, coverage.spoken, opens_at, _UTC),
    )
