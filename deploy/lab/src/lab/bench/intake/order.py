"""What the sender is told to do, and what it tells of it, each as a line of JSON."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Order", "Sent"]


class Order(BaseModel):
    """``count`` requests over so many connections, at a rate, or as fast as answers come.

    ``where`` is the floor's DSN or intake's host:port; ``together`` go into one HTTP request.
    """

    model_config = ConfigDict(frozen=True)

    to: Literal["floor", "door"]
    where: str
    run: str
    at: datetime
    count: int
    connections: int
    rate_hz: float | None = None
    together: int = 1
    language: str | None = "en"
    key: str = ""


class Sent(BaseModel):
    """What became of it. A latency counts from when the request *should* have been sent."""

    model_config = ConfigDict(frozen=True)

    took_s: float
    cpu_s: float
    latencies_ms: tuple[float, ...]
    refused: int
    refusal: str = ""
