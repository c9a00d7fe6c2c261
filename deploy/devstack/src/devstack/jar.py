"""A jar of Kafka, and the cache folder of all jars."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

__all__ = ["CACHE", "Jar"]

CACHE: Final = platformdirs.user_cache_path("premium-support") / "kafka"


@dataclass(frozen=True)
class Jar:
    """A file of the list kafka.jars."""

    group: str
    artifact: str
    version: str
    size_bytes: int
    sha256: str

    @property
    def path(self) -> Path:
        """The jar's path in the cache, downloaded or not."""
        return CACHE / f"{self.artifact}-{self.version}.jar"
