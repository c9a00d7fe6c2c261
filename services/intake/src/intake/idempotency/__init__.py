"""Idempotency-Keys: a request that is sent twice is handled once and gets the same response."""

from intake.idempotency.submissions import (
    IdempotencyKey,
    RequestBatcher,
    StatusAndBody,
    Submission,
    WriteResponse,
    make_request_batcher,
)
from intake.store.idempotency import StoredResponse, delete_old_responses

__all__ = [
    "IdempotencyKey",
    "RequestBatcher",
    "StatusAndBody",
    "StoredResponse",
    "Submission",
    "WriteResponse",
    "delete_old_responses",
    "make_request_batcher",
]
