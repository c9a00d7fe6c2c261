"""Reads a policy from a file, including the iCalendar files that it names."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from shared.basics.yaml_source import read_yaml
from shared.sla.calendars.ical import ClosedDates, closed_dates_from_ical
from shared.sla.policies.faults import Fault
from shared.sla.policies.policy import Policy
from shared.sla.policies.reading import policy_of

__all__ = ["load_policy"]

_ICAL: Final = "ical"
_ICAL_YEARS: Final = range(2020, 2040)
"""Fixed, so that a file always gives the same policy, whenever it is read."""


def load_policy(file: Path, *, note: Callable[[str], object] = lambda _: None) -> Policy:
    """Read and validate a policy. Raises Refused with all its faults.

    A calendar's ``ical`` is the path of an iCalendar file, relative to the policy's folder; its
    days become closed dates. ``note`` is called with warnings.
    """
    document = read_yaml(file)
    return policy_of(document, list(_resolve_icals(document.content, file.parent, note)))


def _resolve_icals(content: object, folder: Path, note: Callable[[str], object]) -> Iterator[Fault]:
    """Replace each calendar's ``ical`` by closed dates, in ``content`` itself; yield faults."""
    calendars = content.get("calendars") if isinstance(content, dict) else None
    for name, calendar in (calendars if isinstance(calendars, dict) else {}).items():
        if not isinstance(calendar, dict) or _ICAL not in calendar:
            continue
        file = folder / str(calendar.pop(_ICAL))
        try:
            found = closed_dates_from_ical(file.read_text("utf-8-sig"), years=_ICAL_YEARS)
        except OSError as e:
            yield ("calendars", name, _ICAL), f"{file.name} cannot be read: {e.strerror}"
        except ValueError as e:  # not UTF-8, or no iCalendar
            yield ("calendars", name, _ICAL), f"{file.name}: {e}"
        else:
            if found.idle:
                note(_idle(f"calendars.{name}.ical: {file.name}", found))
            closed = calendar.get("closed", [])
            if isinstance(closed, list):
                calendar["closed"] = sorted({*closed, *(day.isoformat() for day in found.dates)})


def _idle(where: str, found: ClosedDates) -> str:
    years = f"{_ICAL_YEARS.start} to {_ICAL_YEARS.stop - 1}"
    why = f"they have a time of day, are cancelled, or lie outside {years}"
    return f"{where}: {found.idle} of {found.events} events close nothing: {why}"
