"""Intake's API behaves as its OpenAPI document describes; a short run of `make fuzz`."""

import asyncio
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Final

from tests.fuzz.api import answers, hold_beside_its_document
from tests.integration.intake.conftest import Intake
from tests.integration.intake.intake_process import serving

from shared.testing.databases import FreshDatabase

EXAMPLES: Final = 12


async def test_every_operation_answers_as_its_document_says(
    intake: Intake, fresh: FreshDatabase, tmp_path: Path
) -> None:
    """Valid and invalid input gets no server error and no undeclared response."""
    async with serving(intake, fresh) as client:
        document = (await client.get("/openapi.json")).json()
        failed = await asyncio.to_thread(
            hold_beside_its_document,
            str(client.base_url).rstrip("/"),
            client.headers["authorization"],
            tmp_path,
            phases="examples,fuzzing",
            examples=EXAMPLES,
        )
    assert not failed
    counts = Counter(answers(tmp_path))
    operations = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    }
    assert {operation for operation, _ in counts if " /" in operation} == operations
    receipts = {HTTPStatus.OK, HTTPStatus.ACCEPTED}
    assert any(counts["POST /v1/tickets", status] for status in receipts), counts
