"""A key is shown so that it can be read, and copied, on a narrow screen."""

from datetime import UTC, datetime

from premium.keys.command import lines_of
from premium.keys.store import Listed

MADE = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
SOURCES = [f"web-form-{number}" for number in range(12)]
KEY = Listed(
    "7hQ2mXa9", "northwind", "web-form", ["tickets:write"], MADE, None, None, "in force", SOURCES
)


def test_a_key_fits_80_columns_and_is_told_from_its_namesake() -> None:
    """Its prefix stands alone, nothing is cut, and it says when it was made."""
    lines = list(lines_of(KEY, "sources"))
    assert max(map(len, lines)) <= 80
    assert lines[:4] == [
        "7hQ2mXa9  northwind web-form: in force",
        "          made 2026-03-02 09:05, expires never, last used never",
        "          scopes: tickets:write",
        ("          sources: web-form-0, web-form-1, web-form-2, web-form-3, web-form-4,"),
    ]
    assert " ".join(" ".join(lines).split()).endswith(", ".join(SOURCES[5:]))
