"""Business time: what a calendar says, and pure arithmetic over it."""

from shared.sla.calendars.arithmetic import Calendar, Holiday, Span
from shared.sla.calendars.ical import ClosedDates, closed_dates_from_ical
from shared.sla.calendars.regions import holidays_version, known_region
from shared.sla.calendars.spec import CalendarSpec, CalendarVersion, always, business_week
from shared.sla.calendars.zones import (
    OffsetChange,
    country_of,
    known_zone,
    offset_changes,
    tzdata_version,
    zone_info,
    zone_names,
)

__all__ = [
    "Calendar",
    "CalendarSpec",
    "CalendarVersion",
    "ClosedDates",
    "Holiday",
    "OffsetChange",
    "Span",
    "always",
    "business_week",
    "closed_dates_from_ical",
    "country_of",
    "holidays_version",
    "known_region",
    "known_zone",
    "offset_changes",
    "tzdata_version",
    "zone_info",
    "zone_names",
]
