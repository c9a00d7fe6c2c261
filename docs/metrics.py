"""The page of metrics: every Prometheus metric, from the modules that define it."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from docs.services import HANDLERS

__all__ = ["page"]

_ABOUT: Final = """\
# Metrics

Generated from the code by `make docs`: change the module that defines a metric instead.

Each service serves its metrics at `/metrics`, in the text format of Prometheus. A histogram `x` is
served as `x_bucket`, `x_sum` and `x_count`. Names end with their unit.
"""
_HEAD: Final = "| metric | type | labels | meaning |\n|---|---|---|---|\n"


def page() -> str:
    """Return the page: the metrics of every service, then those of each service."""
    common = set(_rows("shared"))
    own = {name: {*_rows(name.replace("-", "_"))} - common for name in HANDLERS}
    return _ABOUT + "".join(
        f"\n## {title}\n\n{_HEAD}{''.join(sorted(rows))}"
        for title, rows in {"Every service": common, **own}.items()
        if rows
    )


def _rows(package: str) -> Iterator[str]:
    """Return a row for each metric among the constants of a package's modules, also imported."""
    root = importlib.import_module(package)
    for info in pkgutil.walk_packages(root.__path__, f"{package}."):
        if "testing" not in info.name and not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            metrics = [m for m in vars(module).values() if isinstance(m, MetricWrapperBase)]
            yield from map(_row, metrics)


def _row(metric: MetricWrapperBase) -> str:
    (family,) = metric.describe()
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - no other way
    return f"| `{name}` | {family.type} | {labels} | {family.documentation} |\n"
