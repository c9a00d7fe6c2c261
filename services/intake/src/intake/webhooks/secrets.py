"""Secrets of connections: a file each, read when they are used, and kept for a few seconds."""

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from shared.basics.clock import elapsed_s

__all__ = ["Secrets"]

_KEPT_S: Final = 10


class Secrets:
    """The folder of the secrets. A file that is exchanged counts within ten seconds."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[str, tuple[float, SecretStr | None]] = {}

    def named(self, name: str) -> SecretStr | None:
        """Read a secret; None where there is no such file, or nothing in it."""
        read_at, secret = self._kept.get(name, (0.0, None))
        if name not in self._kept or elapsed_s(read_at) >= _KEPT_S:
            secret = self._read(name)
            self._kept[name] = (elapsed_s(), secret)
        return secret

    def _read(self, name: str) -> SecretStr | None:
        if self._folder is None:
            return None
        try:
            text = (self._folder / name).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return SecretStr(text) if text else None
