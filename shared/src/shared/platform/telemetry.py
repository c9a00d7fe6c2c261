"""Structured logs (JSON lines with bound context), and the metrics of every service."""

import logging
import sys
from typing import Final, override

import structlog
from prometheus_client import Counter, Gauge, Histogram

from shared.basics.clock import elapsed_s

__all__ = [
    "BATCH_S",
    "CONSUMED",
    "DEAD_LETTERS",
    "LAG",
    "OUTBOX_AGE_S",
    "PART_FAILURES",
    "PRODUCER_REBUILT",
    "READ_AGAIN",
    "REFUSED",
    "RELAYED",
    "REQUESTS_IN_PROGRESS",
    "SKIPPED",
    "TOPIC_UNAVAILABLE",
    "WAITS",
    "configure",
]

CONSUMED: Final = Counter("premium_consumed", "Records handled", ["topic"])
REQUESTS_IN_PROGRESS: Final = Gauge("premium_requests_in_hand", "Requests being answered")
REFUSED: Final = Counter("premium_refused", "Requests refused before they were read", ["status"])
SKIPPED: Final = Counter(
    "premium_skipped", "Events passed over, for their type is unknown", ["topic"]
)
DEAD_LETTERS: Final = Counter("premium_dead_letters", "Records parked", ["reason"])
WAITS: Final = Counter("premium_batch_waits", "Batches that waited for a server of ours")
BATCH_S: Final = Histogram(
    "premium_batch_seconds",
    "Handling time of a batch, transaction included",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
LAG: Final = Gauge("premium_consumer_lag", "Records not yet handled", ["topic", "partition"])
OUTBOX_AGE_S: Final = Gauge("premium_outbox_age_seconds", "Age of the oldest unpublished row")
RELAYED: Final = Counter("premium_relayed", "Records published from the outbox")
TOPIC_UNAVAILABLE: Final = Gauge(
    "premium_topic_unavailable", "1 while the relay cannot publish to a topic", ["topic"]
)
PART_FAILURES: Final = Counter(
    "premium_part_failures", "Times that a part failed unforeseen, and ran again", ["part"]
)
PRODUCER_REBUILT: Final = Counter("premium_producer_rebuilt", "Producers replaced when wedged")

READ_AGAIN: Final = Counter(
    "premium_partitions_read_again",
    "Partitions read from their beginning, because the last record handled is not there any more",
    ["topic"],
)

_NOISY: Final = ("aiokafka", "kafka", "faststream", "mail.log", "uvicorn")


class _Limit(logging.Filter):
    """Passes equal messages once in ten seconds: a lost broker would log hundreds a second."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, float] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        key = f"{record.name}{record.msg}"[:200]
        if elapsed_s(self._seen.get(key, -10.0)) < 10:  # noqa: PLR2004 - seconds, as above
            return False
        if len(self._seen) > 1000:  # noqa: PLR2004 - a bound, not a figure
            self._seen.clear()
        self._seen[key] = elapsed_s()
        return True


def configure(*, service: str, level: str) -> None:
    """Log JSON lines to stdout; of libraries only warnings (some: errors), each once in 10 s."""
    steps: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *steps,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*steps, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(_Limit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
