"""What a bench found: every value, medians with their spread, ours as a ratio to the floor."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, computed_field
from rich.table import Table

from premium.errors import CommandError

__all__ = ["Figure", "Report", "Section", "percentile", "spread", "write"]

_DIGITS: Final = 3


class Figure(BaseModel):
    """One quantity: a value a repeat, of the floor and of ours; either may have none."""

    model_config = ConfigDict(frozen=True)

    name: str
    unit: str
    floor: tuple[float, ...] = ()
    ours: tuple[float, ...] = ()
    goal: str = ""

    @computed_field  # type: ignore[prop-decorator] # pydantic's own way
    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours to the floor's of the same repeat."""
        pairs = zip(self.ours, self.floor, strict=False)
        return tuple(ours / floor for ours, floor in pairs if floor)


class Section(BaseModel):
    """Figures that are read together."""

    model_config = ConfigDict(frozen=True)

    title: str
    figures: tuple[Figure, ...]

    def table(self) -> Table:
        """Lay the figures out for people: median (least to greatest)."""
        table = Table(title=self.title, title_justify="left", box=None, header_style="bold")
        for name in ("", "floor", "ours", "ours / floor", "goal"):
            table.add_column(name, justify="right" if name else "left")
        for figure in self.figures:
            name = f"{figure.name}, {figure.unit}"
            shown = (spread(values) for values in (figure.floor, figure.ours, figure.ratios))
            table.add_row(name, *shown, figure.goal)
        return table


class Report(BaseModel):
    """A whole run."""

    model_config = ConfigDict(frozen=True)

    environment: dict[str, str]
    sections: tuple[Section, ...]


def percentile(values: Sequence[float], percent: int) -> float:
    """Read a percentile, between the values where it falls between."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def spread(values: Sequence[float]) -> str:
    """Write a median, and between which values it lies."""
    if not values:
        return ""
    middle = _short(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({_short(min(values))} to {_short(max(values))})"


def write(file: Path, found: BaseModel) -> None:
    """Write every value as JSON. Raises CommandError when the place is not writable."""
    try:
        file.write_text(found.model_dump_json(indent=2) + "\n")
    except OSError as e:
        raise CommandError(f"{file}: {e.strerror}; choose another place with --report") from e


def _short(value: float) -> str:
    """Write three digits that mean something; all those before the point."""
    whole = len(str(int(abs(value))))
    decimals = max(0, _DIGITS - whole) if value else 0
    return f"{value:,.{decimals}f}"
