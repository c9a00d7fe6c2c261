"""The input and the output of the sender process, each one line of JSON."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["LoadResult", "LoadSpec"]


class LoadSpec(BaseModel):
    """The load: ``count`` support requests, at a rate, or as fast as answers come if that is None.

    ``where`` is the baseline's DSN or intake's host:port. An HTTP request has ``per_request``
    support requests.
    """

    model_config = ConfigDict(frozen=True)

    to: Literal["baseline", "intake"]
    where: str
    run: str
    at: datetime
    count: int
    connections: int
    rate_hz: float | None = None
    per_request: int = 1
    language: str | None = "en"
    key: str = ""


class LoadResult(BaseModel):
    """The result. A latency counts from when the request *should* have been sent."""

    model_config = ConfigDict(frozen=True)

    took_s: float
    cpu_s: float
    latencies_ms: tuple[float, ...]
    refused: int
    refusal: str = ""
