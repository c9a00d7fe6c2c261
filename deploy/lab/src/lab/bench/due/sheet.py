"""Results of bench-due: rows with a column for each subject, medians with their spread."""

from collections.abc import Mapping, Sequence
from itertools import chain
from statistics import median

from pydantic import BaseModel, ConfigDict, computed_field
from rich.table import Table

from lab.bench.due.trial import Outcome
from lab.bench.report import percentile, spread

__all__ = ["BASE", "OURS", "DueReport", "Row", "Sheet", "outcomes", "single"]

OURS = "ours"
BASE = "bare SQL loop"


class Row(BaseModel):
    """One quantity: for each subject a value per repeat, or one for all repeats."""

    model_config = ConfigDict(frozen=True)

    name: str
    unit: str
    found: dict[str, tuple[float, ...]]

    @computed_field  # type: ignore[prop-decorator] # pydantic's own way
    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours divided by the bare loop's value of the same repeat."""
        pairs = zip(self.found.get(OURS, ()), self.found.get(BASE, ()), strict=False)
        return tuple(ours / base for ours, base in pairs if base)


class Sheet(BaseModel):
    """A table of rows that belong together."""

    model_config = ConfigDict(frozen=True)

    title: str
    rows: tuple[Row, ...]

    def table(self) -> Table:
        """Return the rows as a table: median (minimum to maximum)."""
        subjects = tuple(dict.fromkeys(chain.from_iterable(row.found for row in self.rows)))
        compared = (f"{OURS} / {BASE}",) if {OURS, BASE} <= set(subjects) else ()
        table = Table(title=self.title, title_justify="left", box=None, header_style="bold")
        for name in ("", *subjects, *compared):
            table.add_column(name, justify="right" if name else "left")
        for row in self.rows:
            name = ", ".join(filter(None, (row.name, row.unit)))
            shown = [spread(row.found.get(subject, ())) for subject in subjects]
            table.add_row(name, *shown, *(spread(row.ratios) for _ in compared))
        return table


class DueReport(BaseModel):
    """The results of a whole run."""

    model_config = ConfigDict(frozen=True)

    environment: dict[str, str]
    sheets: tuple[Sheet, ...]


def single(name: str, unit: str, *values: float | None) -> Row:
    """Make a row of ours alone; None values are left out."""
    return Row(name=name, unit=unit, found={OURS: tuple(v for v in values if v is not None)})


def outcomes(found: Mapping[str, Sequence[Outcome]]) -> tuple[Row, ...]:
    """Make rows: p50 and counts of each repeat; p99 and maximum of all repeats combined."""
    lags = {name: [o.lags_ms for o in repeats if o.lags_ms] for name, repeats in found.items()}
    combined = {name: [*chain(*repeats)] for name, repeats in lags.items()}
    return (
        Row(name="p50", unit="ms", found={n: tuple(map(median, r)) for n, r in lags.items()}),
        Row(name="p99", unit="ms", found={n: _p99(values) for n, values in combined.items()}),
        Row(name="max", unit="ms", found={n: _max(values) for n, values in combined.items()}),
        Row(name="until all are published", unit="s", found=_each(found, "out_s")),
        Row(name="before due", unit="clocks", found=_each(found, "early")),
        Row(name="doubled", unit="events", found=_each(found, "doubled")),
        Row(name="repeated under one id", unit="records", found=_each(found, "repeated")),
        Row(name="missing", unit="clocks", found=_each(found, "missing")),
    )


def _p99(values: Sequence[float]) -> tuple[float, ...]:
    return (percentile(values, 99),) if len(values) > 1 else tuple(values)


def _max(values: Sequence[float]) -> tuple[float, ...]:
    return (max(values),) if values else ()


def _each(found: Mapping[str, Sequence[Outcome]], field: str) -> dict[str, tuple[float, ...]]:
    return {name: tuple(getattr(o, field) for o in repeats) for name, repeats in found.items()}
