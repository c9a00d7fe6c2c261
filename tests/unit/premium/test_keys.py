"""A listed key can be read and copied on a narrow screen."""

from datetime import UTC, datetime

from premium.keys.command import lines_of
from premium.keys.store import Listed

MADE = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
SOURCES = [f"web-form-{number}" for number in range(12)]
KEY = Listed(
    "7hQ2mXa9", "northwind", "web-form", ["tickets:write"], MADE, None, None, "in force", SOURCES
)


def test_a_key_fits_80_columns_and_differs_from_another_of_its_name() -> None:
    """Its prefix comes first, nothing is cut off, and its time of creation is shown."""
    lines = list(lines_of(KEY, "sources"))
    assert max(map(len, lines)) <= 80
    assert lines[:4] == [
        "7hQ2mXa9  northwind web-form: in force",
        "          made 2026-03-02 09:05, expires never, last used never",
        "          scopes: tickets:write",
        ("          sources: web-form-0, web-form-1, web-form-2, web-form-3, web-form-4,"),
    ]
    assert " ".join(" ".join(lines).split()).endswith(", ".join(SOURCES[5:]))
