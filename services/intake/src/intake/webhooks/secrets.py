"""The secrets of webhook connections: one file each, cached for ten seconds."""

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from shared.basics.clock import elapsed_s

__all__ = ["Secrets"]

_CACHED_S: Final = 10


class Secrets:
    """Reads secrets from a folder. A replaced file takes effect within ten seconds."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._cache: dict[str, tuple[float, SecretStr | None]] = {}

    def named(self, name: str) -> SecretStr | None:
        """Read a secret; None when there is no such file, or it is empty."""
        read_at, secret = self._cache.get(name, (0.0, None))
        if name not in self._cache or elapsed_s(read_at) >= _CACHED_S:
            secret = self._read(name)
            self._cache[name] = (elapsed_s(), secret)
        return secret

    def _read(self, name: str) -> SecretStr | None:
        if self._folder is None:
            return None
        try:
            text = (self._folder / name).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return SecretStr(text) if text else None
