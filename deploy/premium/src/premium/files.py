"""Reads the files that operators write; a refused file ends the command."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import typer

from shared.basics.yaml_source import Refused

__all__ = ["checked"]

_BAD_FILE: Final = 2


def checked[T](read: Callable[[Path], T], file: Path) -> T:
    """Read a file; if it has faults, print them, one a line, and exit with 2."""
    try:
        return read(file)
    except Refused as e:
        typer.echo(str(e), err=True)
        raise typer.Exit(_BAD_FILE) from e
