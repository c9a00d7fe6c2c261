"""A benchmark's report computes ratios, medians and percentiles."""

import io

from rich.console import Console

from lab.bench.report import Figure, Section, percentile


def test_a_ratio_is_of_one_repeat() -> None:
    """Ours is compared with the baseline of the same repeat."""
    figure = Figure(name="planned", unit="tickets/s", baseline=(100, 200), ours=(50, 50))
    assert figure.ratios == (0.5, 0.25)


def test_a_baseline_of_zero_has_no_ratio() -> None:
    """If the baseline took no measurable time, the ratio is left out."""
    assert Figure(name="cpu", unit="ms", baseline=(0.0,), ours=(1.0,)).ratios == ()


def test_a_median_is_shown_with_its_spread() -> None:
    """The text has the median of the repeats, and their minimum and maximum."""
    values = Figure(name="p50", unit="ms", baseline=(1, 2, 3), ours=(2, 4, 6), goal="≤ 20")
    shown = io.StringIO()
    Console(file=shown, width=120).print(Section(title="Latency", figures=(values,)).table())
    cells = ("p50, ms", "2.00 (1.00 to 3.00)", "4.00 (2.00 to 6.00)", "2.00 (2.00 to 2.00)")
    assert all(cell in shown.getvalue() for cell in (*cells, "≤ 20"))


def test_a_percentile_is_interpolated() -> None:
    """The 99th of 0 to 100 is 99."""
    assert percentile(range(101), 99) == 99
