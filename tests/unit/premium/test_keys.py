"""A listed key can be read and copied on a narrow screen; a derived key is repeatable."""

from datetime import UTC, datetime

from premium.keys import lines_of
from shared.platform.admin_api import KeyInfo
from shared.platform.api_keys import derive_key, make_key, read_key

MADE = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
SOURCES = [f"web-form-{number}" for number in range(12)]
KEY = KeyInfo(
    prefix="7hQ2mXa9",
    tenant="northwind",
    name="web-form",
    scopes=["tickets:write"],
    owned=SOURCES,
    rate_per_s=2_000,
    burst=4_000,
    created_at=MADE,
    expires_at=None,
    last_used_at=None,
    state="in force",
)


def test_a_key_fits_80_columns_and_differs_from_another_of_its_name() -> None:
    """Its prefix comes first, nothing is cut off, and its time of creation is shown."""
    lines = list(lines_of(KEY, "source"))
    assert max(map(len, lines)) <= 80
    assert lines[:4] == [
        "7hQ2mXa9  northwind web-form: in force",
        "          made 2026-03-02 09:05, expires never, last used never",
        "          scopes: tickets:write",
        ("          sources: web-form-0, web-form-1, web-form-2, web-form-3, web-form-4,"),
    ]
    assert " ".join(" ".join(lines).split()).endswith(", ".join(SOURCES[5:]))


def test_a_derived_key_depends_on_secret_request_and_content() -> None:
    """The same three give the same key; other content gives another key with the same prefix."""
    key = derive_key("secret", "request", "content")
    assert read_key(key.text) == key == derive_key("secret", "request", "content")
    other = derive_key("secret", "request", "other")
    assert (other.prefix, other.text != key.text) == (key.prefix, True)
    for secret, request in (("other", "request"), ("secret", "other")):
        assert derive_key(secret, request, "content").prefix != key.prefix
    assert make_key() != make_key()
