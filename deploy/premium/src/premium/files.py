"""Files that operators write: read whole, or refused with the place of every fault."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import typer

from shared.basics.yaml_source import Refused

__all__ = ["checked"]

_BAD_FILE: Final = 2


def checked[T](read: Callable[[Path], T], file: Path) -> T:
    """Read a file; print its faults, a line each, and exit with 2 if there are any."""
    try:
        return read(file)
    except Refused as e:
        typer.echo(str(e), err=True)
        raise typer.Exit(_BAD_FILE) from e
