"""What is promised: calendars, policies, promises."""
