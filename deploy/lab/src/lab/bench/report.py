"""Results of a benchmark: values, medians with their spread, ratios of ours to the baseline."""

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
    """One quantity: a value per repeat of the baseline and of ours; either may have none."""

    model_config = ConfigDict(frozen=True)

    name: str
    unit: str
    baseline: tuple[float, ...] = ()
    ours: tuple[float, ...] = ()
    goal: str = ""

    @computed_field  # type: ignore[prop-decorator] # pydantic's own way
    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours divided by the baseline's value of the same repeat."""
        pairs = zip(self.ours, self.baseline, strict=False)
        return tuple(ours / baseline for ours, baseline in pairs if baseline)


class Section(BaseModel):
    """Figures that belong together."""

    model_config = ConfigDict(frozen=True)

    title: str
    figures: tuple[Figure, ...]

    def table(self) -> Table:
        """Return the figures as a table: median (minimum to maximum)."""
        table = Table(title=self.title, title_justify="left", box=None, header_style="bold")
        for name in ("", "baseline", "ours", "ours / baseline", "goal"):
            table.add_column(name, justify="right" if name else "left")
        for figure in self.figures:
            name = f"{figure.name}, {figure.unit}"
            shown = (spread(values) for values in (figure.baseline, figure.ours, figure.ratios))
            table.add_row(name, *shown, figure.goal)
        return table


class Report(BaseModel):
    """The results of a whole run."""

    model_config = ConfigDict(frozen=True)

    environment: dict[str, str]
    sections: tuple[Section, ...]


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile, interpolated between values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def spread(values: Sequence[float]) -> str:
    """Format the median, and the minimum and maximum."""
    if not values:
        return ""
    middle = _short(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({_short(min(values))} to {_short(max(values))})"


def write(file: Path, found: BaseModel) -> None:
    """Write every value as JSON. Raises CommandError if the file cannot be written."""
    try:
        file.write_text(found.model_dump_json(indent=2) + "\n")
    except OSError as e:
        raise CommandError(f"{file}: {e.strerror}; choose another place with --report") from e


def _short(value: float) -> str:
    """Format with three significant digits, but all digits before the point."""
    whole = len(str(int(abs(value))))
    decimals = max(0, _DIGITS - whole) if value else 0
    return f"{value:,.{decimals}f}"
